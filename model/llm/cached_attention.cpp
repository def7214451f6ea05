#include "model/llm/cached_attention.h"

#include <algorithm>
#include <optional>

#include "base/torch_headers.h"
#include "model/kernels/row_operations.h"
#include "model/llm/cpu_attention.h"

namespace relmpi {
namespace {

// Attention of queries (batch, heads, count, head_dim) over keys and values (batch, kv_heads, slots,
// head_dim), with a mask (batch or 1, 1, count, slots). Heads that share keys become rows of one head: keys
// and values are read as they lie, whereas libtorch would copy them for each head.
at::Tensor masked_attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                            const at::Tensor& mask) {
  const std::int64_t batch = queries.size(0), heads = queries.size(1), count = queries.size(2),
                     size = queries.size(3), kv_heads = keys.size(1), group = heads / kv_heads;
  const at::Tensor rows = queries.reshape({batch, kv_heads, group * count, size});
  return at::scaled_dot_product_attention(rows, keys, values,
                                          count > 1 ? mask.repeat({1, 1, group, 1}) : mask)
      .reshape({batch, heads, count, size});
}

// queries (count, heads, head_dim) of one segment -> (count, heads * head_dim).
at::Tensor attend_segment(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                          const Segment& segment) {
  const std::int64_t slots = segment.start + segment.count;
  const auto seen = [&](const at::Tensor& cache) {
    return cache.narrow(0, segment.sequence, 1).narrow(2, 0, slots);
  };
  const at::Tensor q = queries.transpose(0, 1).unsqueeze(0);
  at::Tensor out;
  if (segment.start == 0) {
    const bool grouped = queries.size(1) != keys.size(1);
    out = at::scaled_dot_product_attention(q, seen(keys), seen(values), {}, 0.0, /*is_causal=*/true,
                                           std::nullopt, grouped);
  } else {
    const at::Tensor mask =  // slot <= start + row
        at::ones({1, 1, segment.count, slots}, queries.options().dtype(at::kBool)).tril(segment.start);
    out = masked_attention(q, seen(keys), seen(values), mask);
  }
  return out.squeeze(0).transpose(0, 1).reshape({segment.count, -1});
}

bool equally_long(const std::vector<Segment>& segments) {
  return std::all_of(segments.begin(), segments.end(),
                     [&](const Segment& segment) { return segment.count == segments[0].count; });
}

// All segments at once: a decoding step, or drafts that are checked.
at::Tensor attend_batch(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                        const AttentionPlan& plan) {
  const std::int64_t batch = plan.mask.size(0), count = plan.mask.size(2), slots = plan.mask.size(3);
  const std::int64_t heads = queries.size(1), size = queries.size(2);
  const auto seen = [&](const at::Tensor& cache) {
    const at::Tensor wanted = cache.narrow(2, 0, slots);
    return plan.chosen.defined() ? wanted.index_select(0, plan.chosen) : wanted;
  };
  return masked_attention(queries.view({batch, count, heads, size}).transpose(1, 2), seen(keys), seen(values),
                          plan.mask)
      .transpose(1, 2)
      .reshape({batch * count, heads * size});
}

}  // namespace

namespace portable {

AttentionPlan plan_attention(std::vector<Segment> segments, std::int64_t sequences, at::Device device) {
  AttentionPlan plan{.segments = std::move(segments), .mask = {}, .chosen = {}};
  if (plan.segments.size() < 2 || !equally_long(plan.segments)) return plan;
  const std::int64_t count = plan.segments[0].count;
  std::vector<std::int64_t> chosen, starts;
  std::int64_t slots = 0;
  bool every = plan.segments.size() == static_cast<std::size_t>(sequences);
  for (const Segment& segment : plan.segments) {
    every = every && segment.sequence == static_cast<std::int64_t>(chosen.size());
    chosen.push_back(segment.sequence);
    starts.push_back(segment.start);
    slots = std::max(slots, segment.start + count);
  }
  const auto upload = [&](const std::vector<std::int64_t>& list) {
    return at::tensor(list, at::kLong).to(device);
  };
  if (!every) plan.chosen = upload(chosen);
  const auto longs = at::TensorOptions(device).dtype(at::kLong);
  const at::Tensor positions = upload(starts).unsqueeze(1) + at::arange(count, longs);
  plan.mask = (at::arange(slots, longs) <= positions.unsqueeze(2)).unsqueeze(1);
  return plan;
}

at::Tensor cached_attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                            const AttentionPlan& plan) {
  if (plan.mask.defined()) return attend_batch(queries, keys, values, plan);
  std::vector<at::Tensor> parts;
  for (const Segment& segment : plan.segments)
    parts.push_back(attend_segment(queries.narrow(0, segment.first, segment.count), keys, values, segment));
  return at::cat(parts);
}

}  // namespace portable

AttentionPlan plan_attention(std::vector<Segment> segments, std::int64_t sequences, const at::Tensor& x) {
  if (!has_row_loops(x)) return portable::plan_attention(std::move(segments), sequences, x.device());
  return {.segments = std::move(segments), .mask = {}, .chosen = {}};
}

at::Tensor cached_attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                            const AttentionPlan& plan) {
  if (!has_row_loops(queries)) return portable::cached_attention(queries, keys, values, plan);
  return cpu_attention(queries, keys, values, plan.segments);
}

}  // namespace relmpi
