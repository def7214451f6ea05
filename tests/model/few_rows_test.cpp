#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "base/torch_headers.h"
#include "model/kernels/few_rows_linear.h"
#include "tests/model/own_kernels_only.h"

namespace relmpi {
namespace {

double tolerance(at::ScalarType dtype) { return dtype == at::kFloat ? 2e-5 : 1e-2; }

struct Case {
  at::Tensor x, weight, bias, residual;
};

Case random_case(std::int64_t rows, std::int64_t in, std::int64_t out, at::ScalarType dtype) {
  at::manual_seed(static_cast<std::uint64_t>(rows * 1000 + in + out));
  return {at::randn({rows, in}).to(dtype), (at::randn({out, in}) / std::sqrt(in)).to(dtype), at::randn({out}),
          at::randn({rows, out}).to(dtype)};
}

at::Tensor twin(const Case& c) {
  return at::matmul(c.x.to(at::kDouble), c.weight.to(at::kDouble).t()) + c.bias + c.residual;
}

TEST(FewRows, EqualsTheProductInDoubles) {
  OWN_KERNELS_ONLY();
  for (const auto dtype : {at::kFloat, at::kBFloat16})
    for (const auto& [in, out] : {std::pair{1, 1}, {5, 3}, {16, 7}, {33, 70}, {576, 301}, {577, 960}})
      for (std::int64_t rows = 1; rows <= kFewRows; ++rows) {
        const Case c = random_case(rows, in, out, dtype);
        const at::Tensor wanted = twin(c);
        const at::Tensor wide = few_rows_linear(c.x, c.weight, c.bias, c.residual, at::kFloat);
        EXPECT_TRUE(at::allclose(wide.to(at::kDouble), wanted, 2e-5, 2e-5))
            << rows << " " << in << " " << out;
        const at::Tensor same = few_rows_linear(c.x, c.weight, c.bias, c.residual, dtype);
        EXPECT_EQ(same.scalar_type(), dtype);
        EXPECT_TRUE(at::allclose(same.to(at::kDouble), wanted, tolerance(dtype), tolerance(dtype)));
        EXPECT_TRUE(at::equal(same, wide.to(dtype))) << "rounded more than once";
      }
}

TEST(FewRows, ARowDoesNotDependOnTheOthers) {
  OWN_KERNELS_ONLY();
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const Case c = random_case(kFewRows, 579, 333, dtype);
    for (std::int64_t rows = 1; rows <= kFewRows; ++rows) {
      const at::Tensor together = few_rows_linear(c.x.narrow(0, 0, rows), c.weight, {}, {}, at::kFloat);
      for (std::int64_t row = 0; row < rows; ++row)
        EXPECT_TRUE(at::equal(together.narrow(0, row, 1),
                              few_rows_linear(c.x.narrow(0, row, 1), c.weight, {}, {}, at::kFloat)))
            << row << " of " << rows;
    }
  }
}

TEST(FewRows, DoesNotDependOnTheThreads) {
  OWN_KERNELS_ONLY();
  const Case c = random_case(3, 512, 4096, at::kBFloat16);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = few_rows_linear(c.x, c.weight, {}, {}, at::kFloat);
  at::set_num_threads(2);
  EXPECT_TRUE(at::equal(one, few_rows_linear(c.x, c.weight, {}, {}, at::kFloat)));
  at::set_num_threads(threads);
}

TEST(FewRows, MoreRowsHaveTheSameBits) {
  OWN_KERNELS_ONLY();
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const Case c = random_case(3 * kFewRows + 5, 100, 40, dtype);
    const at::Tensor all = few_rows_linear(c.x, c.weight, c.bias, c.residual, at::kFloat);
    EXPECT_TRUE(at::allclose(all.to(at::kDouble), twin(c), 2e-5, 2e-5));
    for (const std::int64_t row : {std::int64_t{0}, kFewRows, 3 * kFewRows + 4})
      EXPECT_TRUE(
          at::equal(all.narrow(0, row, 1), few_rows_linear(c.x.narrow(0, row, 1), c.weight, c.bias,
                                                           c.residual.narrow(0, row, 1), at::kFloat)));
  }
}

}  // namespace
}  // namespace relmpi
