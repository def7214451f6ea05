#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace relmpi {

// Rows of one forward pass that continue one sequence: rows first .. first + count - 1, at the positions
// start .. start + count - 1.
struct Segment {
  std::int64_t sequence, first, count, start;
};

struct CacheShape {
  std::int64_t sequences, kv_heads;
  std::int64_t group;  // query heads that share a key head
};

// What the attention of all layers on one device needs to know of the new rows.
struct AttentionPlan {
  std::vector<Segment> segments;  // cover the N rows in order, each with a sequence of its own
  // For libtorch's attention, which takes equally long segments at once: how many rows each has; 0 = one
  // segment at a time. Masks are added to the scores of the rows of a group,
  // (batch * kv_heads or 1, 1, group * rows of each, slots).
  std::int64_t together = 0;
  std::vector<at::Tensor> masks;  // one if together, else one a segment; undefined: none is needed
  at::Tensor chosen;  // (segments) int64, undefined if they are all sequences of the cache, in order
};

// For tensors like `x` (its device and dtype).
AttentionPlan plan_attention(std::vector<Segment> segments, const CacheShape& cache, const at::Tensor& x);

// One row each of N sequences, from what lies on their device alone: `positions` (N) and `chosen` (N) int64,
// the latter undefined if they are all sequences of the cache, in order. The rows see no slot from `slots`
// on.
AttentionPlan plan_step(const at::Tensor& positions, const at::Tensor& chosen, std::int64_t slots,
                        const CacheShape& cache, const at::Tensor& x);

// Causal attention of new rows over the cache, which holds their own keys and values already:
// softmax(q K^T / sqrt(head_dim)) V over the slots 0 .. position of the row's sequence (Vaswani et al. 2017),
// query heads sharing key heads in groups (Ainslie et al. 2023). queries (N, heads, head_dim), keys and
// values (sequences, kv_heads, capacity, head_dim). Returns (N, heads * head_dim).
//
// On the CPU in fp32 and bf16 by cpu_attention for segments of up to kFewRows rows; longer ones, and all
// elsewhere, by libtorch's scaled_dot_product_attention (namespace portable, which the tests compare with).
at::Tensor cached_attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                            const AttentionPlan& plan);

namespace portable {
AttentionPlan plan_attention(std::vector<Segment> segments, const CacheShape& cache, const at::Tensor& x);
at::Tensor cached_attention(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                            const AttentionPlan& plan);
}  // namespace portable

}  // namespace relmpi
