#include "model/dgca/attention.h"

#include <gtest/gtest.h>

#include "base/torch_headers.h"
#include "tests/model/own_kernels_only.h"

namespace relmpi {
namespace {

struct Outcome {
  at::Tensor mixed, grad;
};

Outcome run(const at::Tensor& values, const at::Tensor& mask, AttentionKernel kernel) {
  const at::Tensor qkv = values.clone().requires_grad_(true);
  const at::Tensor mixed = self_attention(qkv, 4, prepare_attention(kernel, 0.0, mask, at::kFloat));
  at::Generator generator = at::detail::createCPUGenerator(5);
  mixed.backward(at::randn(mixed.sizes(), generator, mixed.options()));
  return {mixed.detach(), qkv.grad()};
}

TEST(Attention, KernelsAgreeWithAndWithoutPadding) {
  for (const std::int64_t slots : {1, 6, 41, 170}) {
    at::manual_seed(static_cast<std::uint64_t>(slots));
    const at::Tensor qkv = at::randn({3, slots, 3 * 32});
    const at::Tensor ends = at::tensor({slots, (slots + 1) / 2, std::int64_t{1}}).view({3, 1, 1, 1});
    for (const at::Tensor& mask : {at::Tensor(), at::arange(slots).view({1, 1, 1, slots}).lt(ends)}) {
      const Outcome batched = run(qkv, mask, AttentionKernel::kExplicit);
      const Outcome fused = run(qkv, mask, AttentionKernel::kFused);
      EXPECT_TRUE(at::allclose(batched.mixed, fused.mixed, 1e-5, 1e-5)) << slots;
      EXPECT_TRUE(at::allclose(batched.grad, fused.grad, 1e-4, 1e-5)) << slots;
    }
  }
}

// Two keys by hand: scores 0 and ln 3 after scaling give the weights 1/4 and 3/4.
TEST(Attention, IsASoftmaxOverScaledProducts) {
  at::Tensor qkv = at::zeros({1, 2, 3});
  qkv[0][0][0] = 1;              // query of slot 0
  qkv[0][1][1] = std::log(3.0);  // key of slot 1
  qkv[0][0][2] = 8;              // values
  qkv[0][1][2] = 4;
  for (const AttentionKernel kernel : {AttentionKernel::kExplicit, AttentionKernel::kFused})
    EXPECT_NEAR(self_attention(qkv, 1, {.kernel = kernel})[0][0][0].item<double>(), 8 * 0.25 + 4 * 0.75,
                1e-6);
}

// A run that goes on must choose as before: the choice is a function of what the run's identity holds.
TEST(Attention, IsBatchedProductsOnTheCpuUnlessRowsAreLongAndWithoutDropout) {
  OWN_KERNELS_ONLY();
  EXPECT_EQ(choose_attention(at::kCPU, 40, 0.0), AttentionKernel::kExplicit);
  EXPECT_EQ(choose_attention(at::kCPU, 400, 0.1), AttentionKernel::kExplicit);
  EXPECT_EQ(choose_attention(at::kCPU, 400, 0.0), AttentionKernel::kFused);
  EXPECT_EQ(choose_attention(at::kCUDA, 40, 0.1), AttentionKernel::kFused);
}

}  // namespace
}  // namespace relmpi
