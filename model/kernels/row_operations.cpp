#include "model/kernels/row_operations.h"

#include <ATen/Parallel.h>

#include <array>
#include <cmath>

#include "base/torch_headers.h"
#include "model/kernels/elements.h"
#include "model/kernels/own_kernels.h"
#include "model/kernels/vector_math.h"

namespace relmpi {
namespace {

constexpr std::int64_t kLanes = 16;              // partial sums, so that a sum can be vectorised
constexpr std::int64_t kWorthAThread = 1 << 15;  // values: fewer are done sooner than a thread wakes up

std::int64_t grain(std::int64_t values_a_row) {
  return std::max<std::int64_t>(1, kWorthAThread / values_a_row);
}

template <typename Element>
RELMPI_INLINE void norm(const Element* x, const Element* weight, float eps, std::int64_t size, float* out) {
  // In fp64: some models have a few values that outweigh all others by thousands, and what the sum misses is
  // wrong in every value alike.
  std::array<double, kLanes> lanes{};
  const auto square = [](Element value) { return static_cast<double>(to_float(value)) * to_float(value); };
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes)
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      lanes[static_cast<std::size_t>(lane)] += square(x[i + lane]);
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  for (; i < size; ++i) sum += square(x[i]);
  const auto scale = static_cast<float>(1 / std::sqrt(sum / static_cast<double>(size) + eps));
  for (i = 0; i < size; ++i) out[i] = to_float(x[i]) * scale * to_float(weight[i]);
}

template <typename Element>
RELMPI_INLINE void store_all(const float* from, Element* to, std::int64_t size) {
  for (std::int64_t i = 0; i < size; ++i) store(from[i], to + i);
}

// `row` is room for one row in fp32.
template <typename Element>
RELMPI_INLINE void norm_row(const Element* x, const Element* weight, float eps, std::int64_t size, float* row,
                            Element* out) {
  norm(x, weight, eps, size, row);
  store_all(row, out, size);
}

// In blocks of fp32, so that each loop has one width of element.
template <typename Element>
RELMPI_INLINE void swiglu_row(const Element* gate, const Element* up, std::int64_t size, Element* out) {
  constexpr std::int64_t kBlock = 256;
  std::array<float, kBlock> values;
  for (std::int64_t first = 0; first < size; first += kBlock) {
    const std::int64_t count = std::min(kBlock, size - first);
    float* block = values.data();
    for (std::int64_t i = 0; i < count; ++i) block[i] = to_float(gate[first + i]);
    for (std::int64_t i = 0; i < count; ++i) block[i] = block[i] / (1.0F + exp_of(-block[i]));
    for (std::int64_t i = 0; i < count; ++i) block[i] *= to_float(up[first + i]);
    store_all(block, out + first, count);
  }
}

struct Turn {
  const float *cosines, *sines;  // (head_dim / 2)
  float eps;
  std::int64_t head_dim;
};

// One head, normalised if `weight` is given, then turned.
template <typename Element>
RELMPI_INLINE void turn_head(const Element* x, const Element* weight, const Turn& turn, float* row,
                             Element* out) {
  const std::int64_t half = turn.head_dim / 2;
  if (weight != nullptr)
    norm(x, weight, turn.eps, turn.head_dim, row);
  else
    for (std::int64_t i = 0; i < turn.head_dim; ++i) row[i] = to_float(x[i]);
  for (std::int64_t i = 0; i < half; ++i) {
    store(row[i] * turn.cosines[i] - row[i + half] * turn.sines[i], out + i);
    store(row[i + half] * turn.cosines[i] + row[i] * turn.sines[i], out + i + half);
  }
}

// A clone for each element type: attributes do not reach instances of templates.
#define RELMPI_CLONES_OF(Element)                                                                   \
  RELMPI_VECTOR_CLONES void norm_clone(const Element* x, const Element* weight, float eps,          \
                                       std::int64_t size, float* row, Element* out) {               \
    norm_row(x, weight, eps, size, row, out);                                                       \
  }                                                                                                 \
  RELMPI_VECTOR_CLONES void swiglu_clone(const Element* gate, const Element* up, std::int64_t size, \
                                         Element* out) {                                            \
    swiglu_row(gate, up, size, out);                                                                \
  }                                                                                                 \
  RELMPI_VECTOR_CLONES void turn_clone(const Element* x, const Element* weight, const Turn& turn,   \
                                       float* row, Element* out) {                                  \
    turn_head(x, weight, turn, row, out);                                                           \
  }
RELMPI_CLONES_OF(float)
RELMPI_CLONES_OF(std::uint16_t)
#undef RELMPI_CLONES_OF

template <typename Element>
void norm_rows(const at::Tensor& x, const at::Tensor& weight, double eps, at::Tensor& out) {
  const std::int64_t size = x.size(1);
  const auto *from = elements_of<Element>(x), *scales = elements_of<Element>(weight);
  auto* to = static_cast<Element*>(out.data_ptr());
  at::parallel_for(0, x.size(0), grain(size), [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> row(static_cast<std::size_t>(size));
    for (std::int64_t n = begin; n < end; ++n)
      norm_clone(from + n * size, scales, static_cast<float>(eps), size, row.data(), to + n * size);
  });
}

template <typename Element>
void swiglu_rows(const at::Tensor& gate_up, at::Tensor& out) {
  const std::int64_t size = out.size(1);
  const auto* from = elements_of<Element>(gate_up);
  auto* to = static_cast<Element*>(out.data_ptr());
  at::parallel_for(0, out.size(0), grain(size), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n)
      swiglu_clone(from + 2 * n * size, from + (2 * n + 1) * size, size, to + n * size);
  });
}

template <typename Element>
struct Heads {
  const Element* qkv;
  const Element *q_norm, *k_norm;
  Element *queries, *keys, *values;
  std::int64_t heads, kv_heads, capacity, head_dim;
};

template <typename Element>
void rotate_row(const Heads<Element>& of, const Turn& turn, std::int64_t n, std::int64_t sequence,
                std::int64_t position, float* row) {
  const std::int64_t size = of.head_dim;
  const Element* from = of.qkv + n * (of.heads + 2 * of.kv_heads) * size;
  for (std::int64_t h = 0; h < of.heads; ++h, from += size)
    turn_clone(from, of.q_norm, turn, row, of.queries + (n * of.heads + h) * size);
  const auto place = [&](std::int64_t h) {
    return ((sequence * of.kv_heads + h) * of.capacity + position) * size;
  };
  for (std::int64_t h = 0; h < of.kv_heads; ++h, from += size)
    turn_clone(from, of.k_norm, turn, row, of.keys + place(h));
  for (std::int64_t h = 0; h < of.kv_heads; ++h, from += size) std::copy_n(from, size, of.values + place(h));
}

template <typename Element>
at::Tensor rotate_rows(const at::Tensor& qkv, const RotaryWeights& weights, const RowPlaces& places,
                       const at::Tensor& keys, const at::Tensor& values) {
  const std::int64_t kv_heads = keys.size(1), size = keys.size(3), heads = qkv.size(1) / size - 2 * kv_heads;
  at::Tensor queries = at::empty({qkv.size(0), heads, size}, qkv.options());
  const Heads<Element> of{elements_of<Element>(qkv),
                          elements_of<Element>(weights.q_norm),
                          elements_of<Element>(weights.k_norm),
                          static_cast<Element*>(queries.data_ptr()),
                          static_cast<Element*>(keys.data_ptr()),
                          static_cast<Element*>(values.data_ptr()),
                          heads,
                          kv_heads,
                          keys.size(2),
                          size};
  const auto *cosines = elements_of<float>(weights.cosines), *sines = elements_of<float>(weights.sines);
  const auto *sequence = elements_of<std::int64_t>(places.sequences),
             *position = elements_of<std::int64_t>(places.positions);
  at::parallel_for(0, qkv.size(0), grain(qkv.size(1)), [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> row(static_cast<std::size_t>(size));
    for (std::int64_t n = begin; n < end; ++n) {
      const Turn turn{cosines + position[n] * size / 2, sines + position[n] * size / 2,
                      static_cast<float>(weights.eps), size};
      rotate_row(of, turn, n, sequence[n], position[n], row.data());
    }
  });
  return queries;
}

}  // namespace

bool has_row_loops(const at::Tensor& x) {
  return own_kernels(x.device()) && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  if (!has_row_loops(x)) return portable::rms_norm(x, weight, eps);
  at::Tensor out = at::empty_like(x);
  if (x.scalar_type() == at::kFloat)
    norm_rows<float>(x, weight, eps, out);
  else
    norm_rows<std::uint16_t>(x, weight, eps, out);
  return out;
}

at::Tensor swiglu(const at::Tensor& gate_up) {
  if (!has_row_loops(gate_up)) return portable::swiglu(gate_up);
  at::Tensor out = at::empty({gate_up.size(0), gate_up.size(1) / 2}, gate_up.options());
  if (gate_up.scalar_type() == at::kFloat)
    swiglu_rows<float>(gate_up, out);
  else
    swiglu_rows<std::uint16_t>(gate_up, out);
  return out;
}

at::Tensor rotate_and_store(const at::Tensor& qkv, const RotaryWeights& weights, const RowPlaces& places,
                            const at::Tensor& keys, const at::Tensor& values) {
  if (!has_row_loops(qkv)) return portable::rotate_and_store(qkv, weights, places, keys, values);
  if (qkv.scalar_type() == at::kFloat) return rotate_rows<float>(qkv, weights, places, keys, values);
  return rotate_rows<std::uint16_t>(qkv, weights, places, keys, values);
}

}  // namespace relmpi
