#include "model/kernels/weighted_sums.h"

#include "model/kernels/instructions.h"
#include "model/kernels/lanes.h"
#include "model/kernels/vector_math.h"

namespace relmpi {
namespace {

template <typename Element>
struct Call {
  const float* weights;
  std::int64_t stride;
  const Element* values;
  int rows;
  std::int64_t slots, size;
  float* sums;
};

// `rows` rows by `vectors` vectors of columns stay in registers over all slots.
template <int rows, int vectors, typename Element>
RELMPI_INLINE void tile(const Call<Element>& call, int row, std::int64_t column) {
  Lanes sum[rows][vectors] = {};
  const float* weights = call.weights + row * call.stride;
  const Element* values = call.values + column;
  for (std::int64_t s = 0; s < call.slots; ++s, values += call.size) {
    Lanes value[vectors];
    for (int v = 0; v < vectors; ++v) value[v] = load_lanes(values + v * kLanes);
    for (int m = 0; m < rows; ++m)
      for (int v = 0; v < vectors; ++v) sum[m][v] += weights[m * call.stride + s] * value[v];
  }
  for (int m = 0; m < rows; ++m)
    for (int v = 0; v < vectors; ++v)
      store_lanes(sum[m][v], call.sums + (row + m) * call.size + column + v * kLanes);
}

template <int rows, typename Element>
RELMPI_INLINE void columns(const Call<Element>& call, int row) {
  std::int64_t column = 0;
  for (; column + 4 * kLanes <= call.size; column += 4 * kLanes) tile<rows, 4>(call, row, column);
  for (; column + kLanes <= call.size; column += kLanes) tile<rows, 1>(call, row, column);
  for (; column < call.size; ++column)
    for (int m = row; m < row + rows; ++m) {
      float sum = 0;
      for (std::int64_t s = 0; s < call.slots; ++s)
        sum += call.weights[m * call.stride + s] * to_float(call.values[s * call.size + column]);
      call.sums[m * call.size + column] = sum;
    }
}

template <typename Element>
RELMPI_INLINE void all(const Call<Element>& call) {
  int row = 0;
  for (; row + 4 <= call.rows; row += 4) columns<4>(call, row);
  for (; row < call.rows; ++row) columns<1>(call, row);
}

// One function for each instruction set: everything is inlined into it.
#if defined(RELMPI_X86)
template <typename Element>
RELMPI_AVX512 void all_avx512(const Call<Element>& call) {
  all(call);
}
template <typename Element>
RELMPI_AVX2 void all_avx2(const Call<Element>& call) {
  all(call);
}
#endif
template <typename Element>
void all_any(const Call<Element>& call) {
  all(call);
}

template <typename Element>
void run(const Call<Element>& call) {
  static const auto chosen = [] {
#if defined(RELMPI_X86)
    const Instructions best = instructions();
    if (best >= Instructions::kAvx512) return &all_avx512<Element>;
    if (best >= Instructions::kAvx2) return &all_avx2<Element>;
#endif
    return &all_any<Element>;
  }();
  chosen(call);
}

}  // namespace

void weigh_rows(const float* weights, std::int64_t stride, const float* values, int rows, std::int64_t slots,
                std::int64_t size, float* sums) {
  run<float>({weights, stride, values, rows, slots, size, sums});
}

void weigh_rows(const float* weights, std::int64_t stride, const std::uint16_t* values, int rows,
                std::int64_t slots, std::int64_t size, float* sums) {
  run<std::uint16_t>({weights, stride, values, rows, slots, size, sums});
}

}  // namespace relmpi
