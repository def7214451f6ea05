#include "model/kernels/linear.h"

#include <gtest/gtest.h>

#include "base/torch_headers.h"
#include "tests/model/own_kernels_only.h"

namespace relmpi {
namespace {

struct Outcome {
  at::Tensor y, grad_x, grad_weight, grad_bias;
};

template <typename Function>
Outcome run(const Function& function, const at::Tensor& x, const at::Tensor& w, const at::Tensor& b) {
  const at::Tensor input = x.clone().requires_grad_(true), weight = w.clone().requires_grad_(true),
                   bias = b.clone().requires_grad_(true);
  const at::Tensor y = function(input, weight, bias);
  (y * at::arange(y.numel(), y.options()).view(y.sizes()).cos()).sum().backward();
  return {y.detach(), input.grad(), weight.grad(), bias.grad()};
}

// Below and above the size from which another library multiplies.
TEST(Linear, EqualsThatOfLibtorch) {
  for (const auto& [rows, out, in] :
       {std::tuple{1, 3, 5}, {7, 64, 48}, {40, 200, 160}, {333, 96, 128}, {1, 2048, 768}}) {
    at::manual_seed(static_cast<std::uint64_t>(rows));
    const at::Tensor x = at::randn({rows, in}), w = at::randn({out, in}) / std::sqrt(in),
                     b = at::randn({out});
    const Outcome ours = run(&linear, x, w, b);
    const Outcome theirs =
        run([](const auto& x_, const auto& w_, const auto& b_) { return at::linear(x_, w_, b_); }, x, w, b);
    EXPECT_TRUE(at::allclose(ours.y, theirs.y, 1e-5, 1e-5)) << rows;
    EXPECT_TRUE(at::allclose(ours.grad_x, theirs.grad_x, 1e-5, 1e-5)) << rows;
    EXPECT_TRUE(at::allclose(ours.grad_weight, theirs.grad_weight, 1e-4, 1e-4)) << rows;
    EXPECT_TRUE(at::allclose(ours.grad_bias, theirs.grad_bias, 1e-4, 1e-4)) << rows;
  }
}

TEST(Linear, KeepsLeadingDimensionsAndOtherTypes) {
  const at::Tensor x = at::randn({4, 50, 96}), w = at::randn({80, 96}), b = at::randn({80});
  EXPECT_EQ(linear(x, w, b).sizes(), (std::vector<std::int64_t>{4, 50, 80}));
  EXPECT_TRUE(linear(x.transpose(0, 1), w, b).allclose(linear(x, w, b).transpose(0, 1), 1e-5, 1e-5));
  const at::Tensor low = linear(x.to(at::kBFloat16), w.to(at::kBFloat16), b.to(at::kBFloat16));
  EXPECT_EQ(low.scalar_type(), at::kBFloat16);
}

TEST(Linear, ProductsTakeTransposedViews) {
  at::manual_seed(3);
  const at::Tensor a = at::randn({120, 90}), b = at::randn({100, 90});
  const at::Tensor wanted = at::matmul(a.to(at::kDouble), b.t().to(at::kDouble)).to(at::kFloat);
  EXPECT_TRUE(product_transposed(a, b).allclose(wanted, 1e-5, 1e-4));
  EXPECT_TRUE(
      product_transposed(a.t().contiguous().t(), b.t().contiguous().t()).allclose(wanted, 1e-5, 1e-4));
}

// Long sums too, which fp32 leaves to another library.
TEST(Linear, ProductsThenMoreEqualTheOperatorsOneByOne) {
  at::manual_seed(4);
  for (const auto& [dtype, near] : {std::pair{at::kFloat, 1e-4}, {at::kBFloat16, 4e-2}})
    for (const std::int64_t in : {576, 2500}) {
      const at::Tensor x = at::randn({50, in}).to(dtype), other = at::randn({50, 96}).to(dtype);
      const at::Tensor w = (at::randn({96, in}) / std::sqrt(static_cast<double>(in))).to(dtype);
      const at::Tensor product = at::matmul(x.to(at::kDouble), w.to(at::kDouble).t()),
                       with = other.to(at::kDouble);
      for (const auto& [then, wanted] : {std::pair{Then::kNothing, product},
                                         {Then::kSilu, at::silu(product)},
                                         {Then::kAdd, product + with},
                                         {Then::kMultiply, product * with}}) {
        const auto off = [&, wanted = wanted](const at::Tensor& found) {
          return (found.to(at::kDouble) - wanted).abs().max().item<double>();
        };
        EXPECT_LT(off(product_then(x, w, then, other)), near) << in << " " << static_cast<int>(then);
        EXPECT_LT(off(portable::product_then(x, w, then, other)), near)
            << in << " " << static_cast<int>(then);
      }
    }
}

// Of whatever length, fp32 sums keep the decimals that libtorch's own product has.
TEST(Linear, LongSumsKeepTheirDecimals) {
  OWN_KERNELS_ONLY();
  at::manual_seed(5);
  const at::Tensor x = at::rand({64, 4096}), w = at::rand({64, 4096});
  const at::Tensor wanted = at::matmul(x.to(at::kDouble), w.to(at::kDouble).t());
  const auto worst = [&](const at::Tensor& found) {
    return (found.to(at::kDouble) - wanted).abs().max().item<double>();
  };
  EXPECT_LE(worst(product_then(x, w)), 1.5 * worst(at::linear(x, w)));
}

}  // namespace
}  // namespace relmpi
