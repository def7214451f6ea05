#pragma once

#include <ATen/core/Tensor.h>

namespace relmpi {

// x W^T + b for x (..., in), W (out, in), b (out), with gradients. On the CPU in fp32 by oneDNN, which
// libtorch itself asks for 16-bit types alone: on an AMD core with AVX-512 its products take 0.65 to 0.85 of
// the time of the BLAS in libtorch. Elsewhere at::linear.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

// sum += a b for a (M, K), b (K, N) of one dtype and an fp32 sum (M, N).
void add_product(at::Tensor sum, const at::Tensor& a, const at::Tensor& b);

// a b^T for a (M, K), b (N, K), by the same kernels, without gradients. Either may be a transposed view.
at::Tensor product_transposed(const at::Tensor& a, const at::Tensor& b);

}  // namespace relmpi
