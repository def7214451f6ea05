#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace relmpi {

enum class AttentionKernel {
  kExplicit,  // batched products around a softmax; keeps (B, heads, S, S) probabilities
  kFused,     // scaled_dot_product_attention
};

// By device, slots a row and dropout, never by a clock: a run that goes on must round as before.
AttentionKernel choose_attention(at::Device device, std::int64_t width, double dropout);

// What choose_attention and, on a GPU, libtorch make of training rows of `width` slots, as a line for the
// log.
std::string describe_attention(at::Device device, at::ScalarType dtype, std::int64_t heads,
                               std::int64_t head_size, std::int64_t width, double dropout);

// How the layers of one pass attend.
struct Attention {
  AttentionKernel kernel = AttentionKernel::kFused;
  double dropout = 0;
  at::Tensor mask;  // in the form that the kernel wants, undefined if rows have no padding
};

// `padding_mask` (B, 1, 1, S) bool, true = attend, or undefined; `dtype` of the products.
Attention prepare_attention(AttentionKernel kernel, double dropout, const at::Tensor& padding_mask,
                            at::ScalarType dtype);

// softmax(Q K^T / sqrt(head size)) V (Vaswani et al. 2017). `qkv` (B, S, 3H), query, key, value side by side.
// Returns (B, S, H).
at::Tensor self_attention(const at::Tensor& qkv, std::int64_t heads, const Attention& attention);

}  // namespace relmpi
