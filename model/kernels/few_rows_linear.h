#pragma once

#include <ATen/core/Tensor.h>

namespace relmpi {

// Rows up to which few_rows_linear is at least as fast as the products of libtorch and oneDNN on a CPU:
// decoding, batched decoding, and checking drafts. There a product costs the reading of its weights, so they
// are read once, front to back.
constexpr std::int64_t kFewRows = 32;

// residual + x W^T + b for x (N, in), W (out, in), both contiguous, on the CPU and of one dtype, fp32 or
// bf16; b (out) in fp32 and residual (N, out) may be undefined. Sums are fp32 and rounded once, to `out`
// (fp32 or x's dtype). Each output is summed in one order, whatever the number of rows, which may be more
// than kFewRows: a row's result does not depend on the others.
at::Tensor few_rows_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                           const at::Tensor& residual, at::ScalarType out);

}  // namespace relmpi
