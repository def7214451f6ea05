#include "model/llm/cached_attention.h"

#include <algorithm>
#include <optional>

#include "base/torch_headers.h"
#include "model/llm/cpu_attention.h"
#include "model/llm/row_operations.h"

namespace relmpi {
namespace {

// (sequences, kv_heads, S, head_dim) -> (sequences, heads, S, head_dim): each key head for its group.
at::Tensor for_each_query_head(const at::Tensor& cache, std::int64_t heads) {
  const std::int64_t group = heads / cache.size(1);
  if (group == 1) return cache;
  return cache.unsqueeze(2)
      .expand({cache.size(0), cache.size(1), group, cache.size(2), cache.size(3)})
      .reshape({cache.size(0), heads, cache.size(2), cache.size(3)});
}

// queries (count, heads, head_dim) of one segment -> (count, heads * head_dim).
at::Tensor attend_segment(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                          const Segment& segment) {
  const std::int64_t slots = segment.start + segment.count, heads = queries.size(1);
  const auto seen = [&](const at::Tensor& cache) {
    return for_each_query_head(cache.narrow(0, segment.sequence, 1).narrow(2, 0, slots), heads);
  };
  std::optional<at::Tensor> mask;  // (count, slots): slot <= start + row
  if (segment.start > 0)
    mask = at::ones({segment.count, slots}, queries.options().dtype(at::kBool)).tril(segment.start);
  return at::scaled_dot_product_attention(queries.transpose(0, 1).unsqueeze(0), seen(keys), seen(values),
                                          mask, 0.0, !mask.has_value())
      .squeeze(0)
      .transpose(0, 1)
      .reshape({segment.count, -1});
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
    return for_each_query_head(plan.chosen.defined() ? wanted.index_select(0, plan.chosen) : wanted, heads);
  };
  return at::scaled_dot_product_attention(queries.view({batch, count, heads, size}).transpose(1, 2),
                                          seen(keys), seen(values), plan.mask)
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
