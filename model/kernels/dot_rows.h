#pragma once

#include <cstdint>

namespace relmpi {

// sums[m * out_stride + n - begin] = x_m . w_n for the rows n of [begin, end) of W (out, in), m of [0, rows),
// rows at most kKernelRows; in fp32. By the widest instructions that the processor has.
constexpr int kKernelRows = 8;
void dot_rows(const float* x, const float* weight, std::int64_t in, int rows, std::int64_t begin,
              std::int64_t end, float* sums, std::int64_t out_stride);
// bfloat16 as its 16 bits.
void dot_rows(const std::uint16_t* x, const std::uint16_t* weight, std::int64_t in, int rows,
              std::int64_t begin, std::int64_t end, float* sums, std::int64_t out_stride);

}  // namespace relmpi
