#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "model/kernels/vector_clones.h"

namespace relmpi {

// Scalar arithmetic that compilers vectorise inside a clone: no branches, no calls. A bfloat16 is its 16
// bits.

// exp(x) to about 2e-7 relative: 2^n times a polynomial (Taylor) on [-ln 2 / 2, ln 2 / 2]. Below -87 it stays
// at exp(-87) = 1.6e-38, which no sum of probabilities sees.
RELMPI_INLINE float exp_of(float x) {
  x = std::min(std::max(x, -87.0F), 88.0F);
  // Adding 1.5 * 2^23 leaves no room for a fraction: x / ln 2 rounded, and in the low bits as an integer.
  constexpr float kRound = 12582912.0F;
  const float shifted = x * 1.44269504F + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;  // ln 2 in two parts (Cody, Waite)
  float p = 1.0F / 5040;
  p = p * r + 1.0F / 720;
  p = p * r + 1.0F / 120;
  p = p * r + 1.0F / 24;
  p = p * r + 1.0F / 6;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const std::int32_t power = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kRound);
  return p * std::bit_cast<float>((power + 127) << 23);
}

RELMPI_INLINE float to_float(float x) { return x; }
RELMPI_INLINE float to_float(std::uint16_t x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16);
}

RELMPI_INLINE void store(float x, float* to) { *to = x; }
// Round to nearest, ties to even; a NaN stays one.
RELMPI_INLINE void store(float x, std::uint16_t* to) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  const bool nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
  *to = static_cast<std::uint16_t>(nan ? 0x7FC0U : rounded);
}

}  // namespace relmpi
