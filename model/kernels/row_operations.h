#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace relmpi {

// What a decoder does to each row (token) for itself. On the CPU in fp32 and bf16 by loops of our own that
// round once, at the end; elsewhere by libtorch's operators (namespace portable, which the tests compare
// them with).

// x / sqrt(mean(x^2) + eps) * weight (Zhang and Sennrich 2019), the mean and the division in fp32. x (N, H),
// weight (H) of x's dtype.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

// silu(gate) * up (Shazeer 2020) for gate and up side by side: (N, 2 I) -> (N, I).
at::Tensor swiglu(const at::Tensor& gate_up);

// Where a row belongs in a key and value cache.
struct RowPlaces {
  at::Tensor sequences, positions;  // (N) int64 on the device of the rows
  at::Tensor angles;                // for the general path: portable::angles_of_rows
};

struct RotaryWeights {
  at::Tensor cosines, sines;  // (positions, head_dim / 2) fp32
  at::Tensor q_norm, k_norm;  // (head_dim), undefined except for Qwen3
  at::Tensor heads_norm;      // for the general path: portable::norms_of_heads of these two
  double eps = 0;
};

// Takes q, k and v of one product apart: normalises the heads of q and k if weights are there, turns them
// by their positions (RoPE in Hugging Face's form: a head's first half pairs with its second), and puts k
// and v into the caches (sequences, kv_heads, capacity, head_dim) at their places. qkv (N, (heads + 2
// kv_heads) head_dim). Returns q (N, heads, head_dim).
at::Tensor rotate_and_store(const at::Tensor& qkv, const RotaryWeights& weights, const RowPlaces& places,
                            const at::Tensor& keys, const at::Tensor& values);

namespace portable {
// What all layers share, made once a pass. Cosines of both halves of a head beside each other, then sines,
// those of the first half negated: (N, 2, head_dim) fp32.
at::Tensor angles_of_rows(const at::Tensor& cosines, const at::Tensor& sines, const at::Tensor& positions);
// The weight of each head of q and k: (heads + kv_heads, head_dim) fp32.
at::Tensor norms_of_heads(const at::Tensor& q_norm, const at::Tensor& k_norm, std::int64_t heads,
                          std::int64_t kv_heads);

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);
at::Tensor swiglu(const at::Tensor& gate_up);
at::Tensor rotate_and_store(const at::Tensor& qkv, const RotaryWeights& weights, const RowPlaces& places,
                            const at::Tensor& keys, const at::Tensor& values);
}  // namespace portable

// Whether the loops of our own take tensors of that device and dtype.
bool has_row_loops(const at::Tensor& x);

}  // namespace relmpi
