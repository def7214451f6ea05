#include "model/dgca/attention.h"

#include <array>
#include <cmath>
#include <limits>

#include "base/torch_headers.h"

namespace relmpi {
namespace {

// On the CPU. The fused kernel has no dropout there: libtorch then makes the same products itself, slower.
// Without dropout its backward pass is slow on short rows.
constexpr std::int64_t kExplicitBelow = 160;

// sdp::SDPBackend of libtorch.
const char* fused_kernel_name(std::int64_t backend) {
  static constexpr std::array names{"batched products", "flash", "memory-efficient", "cuDNN"};
  return backend >= 0 && backend < static_cast<std::int64_t>(names.size())
             ? names[static_cast<std::size_t>(backend)]
             : "another";
}

}  // namespace

AttentionKernel choose_attention(at::Device device, std::int64_t width, double dropout) {
  return device.is_cpu() && (dropout > 0 || width < kExplicitBelow) ? AttentionKernel::kExplicit
                                                                    : AttentionKernel::kFused;
}

std::string describe_attention(at::Device device, at::ScalarType dtype, std::int64_t heads,
                               std::int64_t head_size, std::int64_t width, double dropout) {
  if (device.is_cpu() && dropout > 0) return "batched products (the fused CPU kernel has no dropout)";
  if (device.is_cpu())
    return fmt::format("batched products below {} slots a row, scaled_dot_product_attention from there on",
                       kExplicitBelow);
  const at::Tensor q = at::empty({2, heads, width, head_size}, at::TensorOptions(dtype).device(device));
  const at::Tensor mask = at::ones({2, 1, 1, width}, at::TensorOptions(at::kBool).device(device));
  return fmt::format("scaled_dot_product_attention: {} for rows of different lengths, {} for equal ones",
                     fused_kernel_name(at::_fused_sdp_choice(q, q, q, mask)),
                     fused_kernel_name(at::_fused_sdp_choice(q, q, q)));
}

at::Tensor self_attention(const at::Tensor& qkv, const at::Tensor& padding_mask, std::int64_t heads,
                          double dropout, AttentionKernel kernel) {
  const std::int64_t b = qkv.size(0), s = qkv.size(1), hidden = qkv.size(2) / 3, size = hidden / heads;
  const at::Tensor split =
      qkv.view({b, s, 3, heads, size}).permute({2, 0, 3, 1, 4});  // (3, B, heads, S, size)
  const at::Tensor q = split.select(0, 0), k = split.select(0, 1), v = split.select(0, 2);
  at::Tensor mixed;
  if (kernel == AttentionKernel::kFused) {
    mixed = at::scaled_dot_product_attention(
        q, k, v, padding_mask.defined() ? std::optional<at::Tensor>(padding_mask) : std::nullopt, dropout);
  } else {
    at::Tensor scores = at::matmul(q * (1.0 / std::sqrt(static_cast<double>(size))), k.transpose(-2, -1));
    if (padding_mask.defined())
      scores = scores.masked_fill(padding_mask.logical_not(), -std::numeric_limits<double>::infinity());
    mixed = at::matmul(at::dropout(at::softmax(scores, -1), dropout, /*train=*/true), v);
  }
  return mixed.transpose(1, 2).reshape({b, s, hidden});
}

}  // namespace relmpi
