#include "base/torch_headers.h"
#include "model/kernels/row_operations.h"

namespace relmpi::portable {
namespace {

// x / sqrt(mean(x^2) + eps) over the last dimension, in fp32. A GPU has it as one kernel.
at::Tensor normalise(const at::Tensor& x, double eps) {
  const at::Tensor wide = x.to(at::kFloat);
  if (!x.is_cpu()) return std::get<0>(at::_fused_rms_norm(wide, {x.size(-1)}, {}, eps));
  return wide * at::rsqrt(wide.square().mean(-1, true) + eps);
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  if (!x.is_cpu()) return std::get<0>(at::_fused_rms_norm(x, {x.size(-1)}, weight, eps));
  return (normalise(x, eps) * weight.to(at::kFloat)).to(x.scalar_type());
}

at::Tensor swiglu(const at::Tensor& gate_up) {
  const auto halves = gate_up.chunk(2, -1);
  return at::silu(halves[0]).mul_(halves[1]);
}

at::Tensor angles_of_rows(const at::Tensor& cosines, const at::Tensor& sines, const at::Tensor& positions) {
  const at::Tensor c = cosines.index_select(0, positions), s = sines.index_select(0, positions);
  return at::cat({c, c, s.neg(), s}, 1).view({positions.size(0), 2, -1});
}

at::Tensor norms_of_heads(const at::Tensor& q_norm, const at::Tensor& k_norm, std::int64_t heads,
                          std::int64_t kv_heads) {
  return at::cat({q_norm.expand({heads, -1}), k_norm.expand({kv_heads, -1})}).to(at::kFloat);
}

at::Tensor rotate_and_store(const at::Tensor& qkv, const RotaryWeights& weights, const RowPlaces& places,
                            const at::Tensor& keys, const at::Tensor& values) {
  const std::int64_t rows = qkv.size(0), kv_heads = keys.size(1), size = keys.size(3);
  const std::int64_t turned = qkv.size(1) / size - kv_heads, heads = turned - kv_heads;
  const at::Tensor all = qkv.view({rows, -1, size});
  at::Tensor x = all.narrow(1, 0, turned);  // heads of q and k
  if (weights.heads_norm.defined()) x = normalise(x, weights.eps).mul_(weights.heads_norm);
  // A head's halves change places: (a, b) becomes (a cos - b sin, b cos + a sin).
  const at::Tensor cosines = places.angles.narrow(1, 0, 1), sines = places.angles.narrow(1, 1, 1);
  at::Tensor out = at::empty({rows, turned, size}, qkv.options());
  at::addcmul_out(out, x * cosines, at::roll(x, {size / 2}, {2}), sines);
  // (N, kv_heads, head_dim) at (sequence, every head, position).
  const auto put = [&](const at::Tensor& cache, const at::Tensor& of_rows) {
    cache.transpose(1, 2).index_put_({places.sequences, places.positions}, of_rows);
  };
  put(keys, out.narrow(1, heads, kv_heads));
  put(values, all.narrow(1, turned, kv_heads));
  return out.narrow(1, 0, heads);
}

}  // namespace relmpi::portable
