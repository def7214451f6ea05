#include "model/llm/cached_attention.h"

#include <algorithm>
#include <functional>

#include "base/torch_headers.h"
#include "model/kernels/few_rows_linear.h"
#include "model/kernels/fused_attention.h"
#include "model/kernels/row_operations.h"
#include "model/llm/cpu_attention.h"
#include "model/upload.h"

namespace relmpi {
namespace {

// Attention of queries (batch, heads, count, head_dim) over keys and values (batch, kv_heads, slots,
// head_dim). Heads that share keys become rows of one head: keys and values are read as they lie, whereas
// libtorch would copy them for each head. Key heads count as texts of their own, so that the result lies as
// it is wanted.
at::Tensor grouped_attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                             const at::Tensor& mask) {
  const std::int64_t batch = queries.size(0), heads = queries.size(1), count = queries.size(2),
                     size = queries.size(3), kv_heads = keys.size(1), group = heads / kv_heads;
  const at::Tensor rows = queries.reshape({batch * kv_heads, 1, group * count, size});
  const auto apart = [](const at::Tensor& cache) { return cache.flatten(0, 1).unsqueeze(1); };
  return fused_attention(rows, apart(keys), apart(values), {.mask = mask})
      .reshape({batch, heads, count, size});
}

// queries (count, heads, head_dim) of one segment -> (count, heads * head_dim).
at::Tensor attend_segment(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                          const Segment& segment, const at::Tensor& mask) {
  const auto seen = [&](const at::Tensor& cache) {
    return cache.narrow(0, segment.sequence, 1).narrow(2, 0, segment.start + segment.count);
  };
  const at::Tensor q = queries.transpose(0, 1).unsqueeze(0);
  const at::Tensor out = segment.start == 0 ? fused_attention(q, seen(keys), seen(values), {.causal = true})
                                            : grouped_attention(q, seen(keys), seen(values), mask);
  return out.squeeze(0).transpose(0, 1).reshape({segment.count, -1});
}

bool equally_long(const std::vector<Segment>& segments) {
  return std::all_of(segments.begin(), segments.end(),
                     [&](const Segment& segment) { return segment.count == segments[0].count; });
}

// All segments at once: a decoding step, or drafts that are checked.
at::Tensor attend_batch(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                        const AttentionPlan& plan) {
  const std::int64_t count = plan.together, batch = queries.size(0) / count, heads = queries.size(1),
                     size = queries.size(2);
  const auto seen = [&](const at::Tensor& cache) {
    const at::Tensor wanted = cache.narrow(2, 0, plan.masks[0].size(3));
    return plan.chosen.defined() ? wanted.index_select(0, plan.chosen) : wanted;
  };
  return grouped_attention(queries.view({batch, count, heads, size}).transpose(1, 2), seen(keys),
                           seen(values), plan.masks[0])
      .transpose(1, 2)
      .reshape({batch * count, heads * size});
}

// Which slots the rows of a segment see, each of its `group` times: slot <= start + row. One row sees all.
at::Tensor mask_of(const Segment& segment, std::int64_t group, const at::Tensor& x) {
  if (segment.start == 0 || segment.count == 1) return {};
  const at::Tensor seen =
      at::ones({segment.count, segment.start + segment.count}, x.options().dtype(at::kBool))
          .tril(segment.start);
  return added_mask(seen.repeat({1, 1, group, 1}), x.scalar_type());
}

// `starts` (batch), from where each segment's `count` rows go on.
AttentionPlan together(AttentionPlan plan, const at::Tensor& starts, std::int64_t count, std::int64_t slots,
                       const CacheShape& cache, const at::Tensor& x) {
  const auto longs = x.options().dtype(at::kLong);
  const at::Tensor positions = starts.unsqueeze(1) + at::arange(count, longs);
  const at::Tensor seen = (at::arange(slots, longs) <= positions.unsqueeze(2)).unsqueeze(1);
  const at::Tensor of_group = count > 1 ? seen.repeat({1, 1, cache.group, 1}) : seen;
  plan.masks = {added_mask(of_group.repeat_interleave(cache.kv_heads, 0), x.scalar_type())};
  plan.together = count;
  return plan;
}

AttentionPlan plan_together(AttentionPlan plan, const CacheShape& cache, const at::Tensor& x) {
  const std::int64_t count = plan.segments[0].count;
  std::vector<std::int64_t> chosen, starts;
  std::int64_t slots = 0;
  bool every = plan.segments.size() == static_cast<std::size_t>(cache.sequences);
  for (const Segment& segment : plan.segments) {
    every = every && segment.sequence == static_cast<std::int64_t>(chosen.size());
    chosen.push_back(segment.sequence);
    starts.push_back(segment.start);
    slots = std::max(slots, segment.start + count);
  }
  const auto there = upload({chosen, starts}, x.device());
  if (!every) plan.chosen = there[0];
  return together(std::move(plan), there[1], count, slots, cache, x);
}

// Rows from which libtorch's kernel, which multiplies blocks of queries and keys as matrices, is faster than
// cpu_attention on a CPU.
bool is_long(const Segment& segment) { return segment.count > kFewRows; }

}  // namespace

namespace portable {

AttentionPlan plan_attention(std::vector<Segment> segments, const CacheShape& cache, const at::Tensor& x) {
  AttentionPlan plan{.segments = std::move(segments), .masks = {}, .chosen = {}};
  if (plan.segments.size() > 1 && equally_long(plan.segments)) return plan_together(plan, cache, x);
  for (const Segment& segment : plan.segments) plan.masks.push_back(mask_of(segment, cache.group, x));
  return plan;
}

at::Tensor cached_attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                            const AttentionPlan& plan) {
  if (plan.together > 0) return attend_batch(queries, keys, values, plan);
  std::vector<at::Tensor> parts;
  for (std::size_t i = 0; i < plan.segments.size(); ++i) {
    const Segment& segment = plan.segments[i];
    parts.push_back(attend_segment(queries.narrow(0, segment.first, segment.count), keys, values, segment,
                                   plan.masks[i]));
  }
  return parts.size() == 1 ? parts[0] : at::cat(parts);
}

}  // namespace portable

AttentionPlan plan_step(const at::Tensor& positions, const at::Tensor& chosen, std::int64_t slots,
                        const CacheShape& cache, const at::Tensor& x) {
  return together({.segments = {}, .masks = {}, .chosen = chosen}, positions, 1, slots, cache, x);
}

AttentionPlan plan_attention(std::vector<Segment> segments, const CacheShape& cache, const at::Tensor& x) {
  if (!has_row_loops(x)) return portable::plan_attention(std::move(segments), cache, x);
  AttentionPlan plan{.segments = std::move(segments), .masks = {}, .chosen = {}};
  for (const Segment& segment : plan.segments)
    plan.masks.push_back(is_long(segment) ? mask_of(segment, cache.group, x) : at::Tensor());
  return plan;
}

at::Tensor cached_attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                            const AttentionPlan& plan) {
  if (!has_row_loops(queries)) return portable::cached_attention(queries, keys, values, plan);
  std::vector<Segment> few;
  std::ranges::copy_if(plan.segments, std::back_inserter(few), std::not_fn(&is_long));
  const auto attend_long = [&](std::size_t i) {
    const Segment& segment = plan.segments[i];
    return attend_segment(queries.narrow(0, segment.first, segment.count), keys, values, segment,
                          plan.masks[i]);
  };
  if (few.empty() && plan.segments.size() == 1) return attend_long(0);
  at::Tensor out = cpu_attention(queries, keys, values, few);
  for (std::size_t i = 0; i < plan.segments.size(); ++i)
    if (const Segment& segment = plan.segments[i]; is_long(segment))
      out.narrow(0, segment.first, segment.count).copy_(attend_long(i));
  return out;
}

}  // namespace relmpi
