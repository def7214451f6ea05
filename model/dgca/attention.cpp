#include "model/dgca/attention.h"

#include <cmath>
#include <limits>

#include "base/torch_headers.h"
#include "model/kernels/fused_attention.h"
#include "model/kernels/own_kernels.h"

namespace relmpi {
namespace {

// On the CPU. The fused kernel has no dropout there: libtorch then makes the same products itself, slower.
// Without dropout its backward pass is slow on short rows.
constexpr std::int64_t kExplicitBelow = 160;

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

}  // namespace

AttentionKernel choose_attention(at::Device device, std::int64_t width, double dropout) {
  return own_kernels(device) && (dropout > 0 || width < kExplicitBelow) ? AttentionKernel::kExplicit
                                                                        : AttentionKernel::kFused;
}

std::string describe_attention(at::Device device, at::ScalarType dtype, std::int64_t heads,
                               std::int64_t head_size, std::int64_t width, double dropout) {
  if (own_kernels(device) && dropout > 0) return "batched products (the fused CPU kernel has no dropout)";
  if (own_kernels(device))
    return fmt::format("batched products below {} slots a row, scaled_dot_product_attention from there on",
                       kExplicitBelow);
  const at::Tensor q =
      at::empty({2, heads, width, head_size}, at::TensorOptions(dtype).device(device)).requires_grad_(true);
  const at::Tensor mask =
      added_mask(at::ones({2, 1, 1, width}, at::TensorOptions(at::kBool).device(device)), dtype);
  return fmt::format(
      "scaled_dot_product_attention: {} for rows of different lengths, {} for equal ones",
      fused_attention_kernel(q, q, q, {.mask = mask.expand({2, heads, width, width}), .dropout = dropout}),
      fused_attention_kernel(q, q, q, {.mask = {}, .dropout = dropout}));
}

Attention prepare_attention(AttentionKernel kernel, double dropout, const at::Tensor& padding_mask,
                            at::ScalarType dtype) {
  Attention plan{.kernel = kernel, .dropout = dropout, .mask = {}};
  if (padding_mask.defined())
    plan.mask =
        kernel == AttentionKernel::kFused ? added_mask(padding_mask, dtype) : padding_mask.logical_not();
  return plan;
}

at::Tensor self_attention(const at::Tensor& qkv, std::int64_t heads, const Attention& attention) {
  const std::int64_t b = qkv.size(0), s = qkv.size(1), hidden = qkv.size(2) / 3, size = hidden / heads;
  const auto parts = qkv.split(hidden, -1);
  const auto heads_of = [&](const at::Tensor& part) {
    return part.view({b, s, heads, size}).transpose(1, 2);  // (B, heads, S, size)
  };
  const at::Tensor q = heads_of(parts[0]), k = heads_of(parts[1]), v = heads_of(parts[2]);
  at::Tensor mixed;
  if (attention.kernel == AttentionKernel::kFused) {
    mixed = fused_attention(q, k, v, {.mask = attention.mask, .dropout = attention.dropout});
  } else {
    at::Tensor scores = at::matmul(q * (1.0 / std::sqrt(static_cast<double>(size))), k.transpose(-2, -1));
    if (attention.mask.defined()) scores = scores.masked_fill(attention.mask, kMinusInfinity);
    mixed = at::matmul(at::dropout(at::softmax(scores, -1), attention.dropout, /*train=*/true), v);
  }
  return mixed.transpose(1, 2).reshape({b, s, hidden});
}

}  // namespace relmpi
