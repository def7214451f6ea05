#pragma once

#include <cstdint>
#include <cstring>

#include "model/kernels/vector_clones.h"

// Vectors of 16 floats for kernels whose registers are laid out by hand; if a plain loop is vectorised
// well enough, vector_math.h is the simpler way. Compilers split the vectors on processors with narrower
// ones. Everything here is inlined into functions of one instruction set, RELMPI_AVX512 and so on.

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define RELMPI_X86 1
#define RELMPI_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define RELMPI_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#define RELMPI_AVX2 __attribute__((target("avx2,fma")))
#endif

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"  // vectors go through inlined functions alone
#endif

namespace relmpi {

constexpr std::int64_t kLanes = 16;
using Lanes = float __attribute__((vector_size(64)));

RELMPI_INLINE Lanes load_lanes(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

// bfloat16 as its 16 bits.
RELMPI_INLINE Lanes load_lanes(const std::uint16_t* from) {
  using Bits = std::uint32_t __attribute__((vector_size(64)));
  using HalfBits = std::uint16_t __attribute__((vector_size(32)));
  HalfBits bits;
  std::memcpy(&bits, from, sizeof bits);
  return reinterpret_cast<Lanes>(__builtin_convertvector(bits, Bits) << 16);
}

RELMPI_INLINE void store_lanes(const Lanes& lanes, float* to) { std::memcpy(to, &lanes, sizeof lanes); }

using Lanes4 = float __attribute__((vector_size(16)));

// Halves on halves, down to four.
RELMPI_INLINE Lanes4 fold(const Lanes& x) {
  using Lanes8 = float __attribute__((vector_size(32)));
  const Lanes8 eight = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) +
                       __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
  return __builtin_shufflevector(eight, eight, 0, 1, 2, 3) +
         __builtin_shufflevector(eight, eight, 4, 5, 6, 7);
}

RELMPI_INLINE float sum_of(const Lanes& lanes) {
  const Lanes4 four = fold(lanes);
  return (four[0] + four[2]) + (four[1] + four[3]);
}

// Four such sums, each with the bits of sum_of.
RELMPI_INLINE Lanes4 sums_of(const Lanes& a, const Lanes& b, const Lanes& c, const Lanes& d) {
  const Lanes4 w = fold(a), x = fold(b), y = fold(c), z = fold(d);
  const Lanes4 wx = __builtin_shufflevector(w, x, 0, 4, 1, 5),
               wx2 = __builtin_shufflevector(w, x, 2, 6, 3, 7),
               yz = __builtin_shufflevector(y, z, 0, 4, 1, 5),
               yz2 = __builtin_shufflevector(y, z, 2, 6, 3, 7);
  const Lanes4 first = wx + wx2, second = yz + yz2;  // lane 0 + 2 and lane 1 + 3 of each
  return __builtin_shufflevector(first, second, 0, 1, 4, 5) +
         __builtin_shufflevector(first, second, 2, 3, 6, 7);
}

}  // namespace relmpi
