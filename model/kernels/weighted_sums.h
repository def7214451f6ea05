#pragma once

#include <cstdint>

namespace relmpi {

// sums[m * size + d] = sum over the slots s, in order, of weights[m * stride + s] * values[s * size + d], for
// m of [0, rows) and d of [0, size); in fp32, by the widest instructions that the processor has. A row's sums
// do not depend on the other rows.
void weigh_rows(const float* weights, std::int64_t stride, const float* values, int rows, std::int64_t slots,
                std::int64_t size, float* sums);
// bfloat16 as its 16 bits.
void weigh_rows(const float* weights, std::int64_t stride, const std::uint16_t* values, int rows,
                std::int64_t slots, std::int64_t size, float* sums);

}  // namespace relmpi
