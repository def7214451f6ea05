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

// What becomes of a product p before it is written, so that it is rounded once and not read again.
enum class Then {
  kNothing,
  kSilu,      // p sigmoid(p)
  kAdd,       // p + other
  kMultiply,  // p * other
};

// then(x W^T) for many rows on the CPU, fp32 or bf16, without gradients: x (M, in), W (out, in), both
// contiguous, other (M, out). In one kernel where libtorch has oneDNN
// and sums are short or bf16.
at::Tensor product_then(const at::Tensor& x, const at::Tensor& weight, Then then = Then::kNothing,
                        const at::Tensor& other = {});

namespace portable {
at::Tensor product_then(const at::Tensor& x, const at::Tensor& weight, Then then, const at::Tensor& other);
}  // namespace portable

}  // namespace relmpi
