#pragma once

#include <ATen/core/Tensor.h>

namespace relmpi {

struct FusedAttention {
  at::Tensor mask;      // added_mask, broadcast to (B, heads, S, T), or undefined
  double dropout = 0;   // of the probabilities
  bool causal = false;  // without a mask: row i sees the slots up to i
};

// softmax(Q K^T / sqrt(D)) V (Vaswani et al. 2017) by libtorch's scaled_dot_product_attention. q (B, heads,
// S, D), k and v (B, kv_heads, T, D), heads a multiple of kv_heads. On a GPU never by cuDNN: it would make a
// plan for each new shape, and may round the dropout rate.
at::Tensor fused_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const FusedAttention& how);

// `attend` (.., T) bool as values to add to the scores: 0 where it is true, minus infinity elsewhere. Rows
// begin at multiples of 8 values: a GPU's kernels would copy another mask in every layer.
at::Tensor added_mask(const at::Tensor& attend, at::ScalarType dtype);

// The name of the kernel that libtorch takes for these.
const char* fused_attention_kernel(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                   const FusedAttention& how);

}  // namespace relmpi
