#include "base/torch_headers.h"
#include "model/kernels/row_operations.h"

namespace relmpi::portable {
namespace {

// The first half of each head pairs with the second. x (N, heads, head_dim), cosines (N, 1, head_dim / 2).
at::Tensor turn(const at::Tensor& x, const at::Tensor& cosines, const at::Tensor& sines) {
  const auto halves = x.to(at::kFloat).chunk(2, -1);
  return at::cat({halves[0] * cosines - halves[1] * sines, halves[1] * cosines + halves[0] * sines}, -1)
      .to(x.scalar_type());
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor wide = x.to(at::kFloat);
  return (wide * at::rsqrt(wide.square().mean(-1, true) + eps) * weight.to(at::kFloat)).to(x.scalar_type());
}

at::Tensor swiglu(const at::Tensor& gate_up) {
  const auto halves = gate_up.chunk(2, -1);
  return at::silu(halves[0]).mul_(halves[1]);
}

at::Tensor rotate_and_store(const at::Tensor& qkv, const RotaryWeights& weights, const RowPlaces& places,
                            const at::Tensor& keys, const at::Tensor& values) {
  const std::int64_t kv_heads = keys.size(1), size = keys.size(3), heads = qkv.size(1) / size - 2 * kv_heads;
  const auto parts = qkv.view({qkv.size(0), -1, size}).split_with_sizes({heads, kv_heads, kv_heads}, 1);
  const at::Tensor cosines = weights.cosines.index_select(0, places.positions).unsqueeze(1);
  const at::Tensor sines = weights.sines.index_select(0, places.positions).unsqueeze(1);
  const auto normed = [&](const at::Tensor& x, const at::Tensor& weight) {
    return weight.defined() ? rms_norm(x, weight, weights.eps) : x;
  };
  // (N, kv_heads, head_dim) at (sequence, every head, position).
  const auto put = [&](const at::Tensor& cache, const at::Tensor& rows) {
    cache.transpose(1, 2).index_put_({places.sequences, places.positions}, rows);
  };
  put(keys, turn(normed(parts[1], weights.k_norm), cosines, sines));
  put(values, parts[2]);
  return turn(normed(parts[0], weights.q_norm), cosines, sines);
}

}  // namespace relmpi::portable
