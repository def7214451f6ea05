#include "model/kernels/dot_rows.h"

#include <array>
#include <utility>

#include "model/kernels/instructions.h"
#include "model/kernels/lanes.h"
#include "model/kernels/vector_math.h"

namespace relmpi {
namespace {

// How many rows of W are read side by side. One alone is read in order, which the prefetcher likes best; more
// rows of x need several rows of W for each load of x, and then are fetched ahead by hand.
constexpr int side_by_side(int rows) { return rows <= 2 ? 1 : rows <= 4 ? 4 : 2; }
constexpr std::int64_t kRowsAhead = 16;

template <typename Element>
RELMPI_INLINE void fetch_ahead(const Element* from) {
  __builtin_prefetch(from, 0, 2);
}

// Writes the sums of one row of W with each row of x.
template <int rows>
RELMPI_INLINE void write_sums(const Lanes* sum, float* to, std::int64_t stride) {
  int m = 0;
  for (; m + 4 <= rows; m += 4) {
    const Lanes4 four = sums_of(sum[m], sum[m + 1], sum[m + 2], sum[m + 3]);
    for (int i = 0; i < 4; ++i) to[(m + i) * stride] = four[i];
  }
  for (; m < rows; ++m) to[m * stride] = sum_of(sum[m]);
}

// What a kernel knows: how to sum `rows` x `side` products over `in`.
struct Portable {
  template <int rows, int side, typename Element>
  RELMPI_INLINE static void tile(const Element* x, const Element* weight, std::int64_t in, float* sums,
                                 std::int64_t out_stride) {
    Lanes sum[side][rows] = {};
    std::int64_t k = 0;
    for (; k + kLanes <= in; k += kLanes) {
      Lanes values[rows];
      for (int m = 0; m < rows; ++m) values[m] = load_lanes(x + m * in + k);
      for (int n = 0; n < side; ++n) {
        if constexpr (side > 1) fetch_ahead(weight + (n + kRowsAhead) * in + k);
        const Lanes w = load_lanes(weight + n * in + k);
        for (int m = 0; m < rows; ++m) sum[n][m] += w * values[m];
      }
    }
    for (int n = 0; n < side; ++n) {
      write_sums<rows>(sum[n], sums + n, out_stride);
      for (std::int64_t rest = k; rest < in; ++rest)
        for (int m = 0; m < rows; ++m)
          sums[m * out_stride + n] += to_float(weight[n * in + rest]) * to_float(x[m * in + rest]);
    }
  }
};

#if defined(RELMPI_X86)
// Two products of bfloat16 a lane and instruction.
struct Bf16Dot {
  template <int rows, int side>
  __attribute__((always_inline)) RELMPI_AVX512_BF16 static void tile(const std::uint16_t* x,
                                                                     const std::uint16_t* weight,
                                                                     std::int64_t in, float* sums,
                                                                     std::int64_t out_stride) {
    __m512 sum[side][rows];
    for (auto& row : sum)
      for (auto& value : row) value = _mm512_setzero_ps();
    for (std::int64_t k = 0; k < in; k += 2 * kLanes) {
      const auto there = static_cast<unsigned>(in - k < 2 * kLanes ? in - k : 2 * kLanes);
      const __mmask32 mask = there == 32 ? ~0U : (1U << there) - 1;  // the rest of the row counts as zeros
      __m512bh values[rows];
      for (int m = 0; m < rows; ++m)
        values[m] = reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16(mask, x + m * in + k));
      for (int n = 0; n < side; ++n) {
        if constexpr (side > 1) fetch_ahead(weight + (n + kRowsAhead) * in + k);
        const auto w = reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16(mask, weight + n * in + k));
        for (int m = 0; m < rows; ++m) sum[n][m] = _mm512_dpbf16_ps(sum[n][m], w, values[m]);
      }
    }
    for (int n = 0; n < side; ++n)
      write_sums<rows>(reinterpret_cast<const Lanes*>(sum[n]), sums + n, out_stride);
  }
};
#endif

template <typename Element>
struct Call {
  const Element *x, *weight;
  std::int64_t in, begin, end;
  float* sums;
  std::int64_t out_stride;
};

// One function for each instruction set: a tile is inlined into a function of its set.
#define RELMPI_SWEEP(name, target, Tile)                                                                     \
  template <int rows, typename Element>                                                                      \
  target void name(const Call<Element>& call) {                                                              \
    constexpr int side = side_by_side(rows);                                                                 \
    std::int64_t n = call.begin;                                                                             \
    for (; n + side <= call.end; n += side)                                                                  \
      Tile::template tile<rows, side>(call.x, call.weight + n * call.in, call.in,                            \
                                      call.sums + (n - call.begin), call.out_stride);                        \
    for (; n < call.end; ++n)                                                                                \
      Tile::template tile<rows, 1>(call.x, call.weight + n * call.in, call.in, call.sums + (n - call.begin), \
                                   call.out_stride);                                                         \
  }

#if defined(RELMPI_X86)
RELMPI_SWEEP(sweep_bf16_dot, RELMPI_AVX512_BF16, Bf16Dot)
RELMPI_SWEEP(sweep_avx512, RELMPI_AVX512, Portable)
RELMPI_SWEEP(sweep_avx2, RELMPI_AVX2, Portable)
#endif
RELMPI_SWEEP(sweep_any, , Portable)

template <typename Element>
using Sweep = void (*)(const Call<Element>&);
template <typename Element>
using Sweeps = std::array<Sweep<Element>, kKernelRows>;

template <typename Element, int... rows>
Sweeps<Element> choose(std::integer_sequence<int, rows...>) {
#if defined(RELMPI_X86)
  const Instructions best = instructions();
  if constexpr (sizeof(Element) == 2)
    if (best >= Instructions::kAvx512Bf16) return {sweep_bf16_dot<rows + 1, Element>...};
  if (best >= Instructions::kAvx512) return {sweep_avx512<rows + 1, Element>...};
  if (best >= Instructions::kAvx2) return {sweep_avx2<rows + 1, Element>...};
#endif
  return {sweep_any<rows + 1, Element>...};
}

template <typename Element>
void run(const Call<Element>& call, int rows) {
  static const Sweeps<Element> sweeps = choose<Element>(std::make_integer_sequence<int, kKernelRows>());
  sweeps[static_cast<std::size_t>(rows - 1)](call);
}

}  // namespace

void dot_rows(const float* x, const float* weight, std::int64_t in, int rows, std::int64_t begin,
              std::int64_t end, float* sums, std::int64_t out_stride) {
  run<float>({x, weight, in, begin, end, sums, out_stride}, rows);
}

void dot_rows(const std::uint16_t* x, const std::uint16_t* weight, std::int64_t in, int rows,
              std::int64_t begin, std::int64_t end, float* sums, std::int64_t out_stride) {
  run<std::uint16_t>({x, weight, in, begin, end, sums, out_stride}, rows);
}

}  // namespace relmpi
