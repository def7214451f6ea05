#include "model/kernels/fused_attention.h"

#include <array>
#include <limits>

#include "base/torch_headers.h"

namespace relmpi {
namespace {

std::optional<at::Tensor> mask_of(const FusedAttention& how) {
  return how.mask.defined() ? std::optional<at::Tensor>(how.mask) : std::nullopt;
}

}  // namespace

at::Tensor fused_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const FusedAttention& how) {
  at::globalContext().setSDPUseCuDNN(false);
  return at::scaled_dot_product_attention(q, k, v, mask_of(how), how.dropout, how.causal, std::nullopt,
                                          /*enable_gqa=*/q.size(1) != k.size(1));
}

at::Tensor added_mask(const at::Tensor& attend, at::ScalarType dtype) {
  const std::int64_t slots = attend.size(-1);
  std::vector<std::int64_t> shape = attend.sizes().vec();
  shape.back() = (slots + 7) / 8 * 8;
  const at::Tensor mask = at::zeros(shape, attend.options().dtype(dtype)).narrow(-1, 0, slots);
  return mask.masked_fill_(attend.logical_not(), -std::numeric_limits<double>::infinity());
}

const char* fused_attention_kernel(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                   const FusedAttention& how) {
  // In the order of libtorch's sdp::SDPBackend.
  static constexpr std::array names{"batched products", "flash", "memory-efficient", "cuDNN"};
  at::globalContext().setSDPUseCuDNN(false);
  const std::int64_t chosen = at::_fused_sdp_choice(q, k, v, mask_of(how), how.dropout, how.causal,
                                                    std::nullopt, q.size(1) != k.size(1));
  return chosen >= 0 && chosen < static_cast<std::int64_t>(names.size())
             ? names[static_cast<std::size_t>(chosen)]
             : "another";
}

}  // namespace relmpi
