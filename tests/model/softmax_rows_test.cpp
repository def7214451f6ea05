#include "model/kernels/softmax_rows.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "base/torch_headers.h"

namespace relmpi {
namespace {

struct Rows {
  at::Tensor logits, bias, labels, grad;
};

Rows random_rows(std::int64_t seed, std::int64_t n, std::int64_t v, double scale, at::ScalarType dtype) {
  at::manual_seed(static_cast<std::uint64_t>(seed));
  return {(at::randn({n, v}) * scale).to(dtype), at::randn({v}), at::randint(v, {n}, at::kLong),
          at::randn({n})};
}

struct Results {
  at::Tensor normaliser, log_p, gradient, grad_bias;
};

Results fast(const Rows& r) {
  Results out{at::empty({r.labels.size(0)}), at::empty({r.labels.size(0)}), r.logits.clone(),
              at::zeros_like(r.bias)};
  log_softmax_rows(r.logits, r.bias, r.labels, out.normaliser, out.log_p);
  softmax_gradient_rows(out.gradient, r.bias, r.labels, out.normaliser, r.grad, out.grad_bias);
  return out;
}

// The slow twin, in fp64.
Results slow(const Rows& r) {
  const at::Tensor z = r.logits.to(at::kDouble) + r.bias.to(at::kDouble);
  const at::Tensor y = r.labels.unsqueeze(1), g = r.grad.to(at::kDouble).unsqueeze(1);
  const at::Tensor d = (-g * at::softmax(z, 1)).scatter_add(1, y, g);
  return {at::logsumexp(z, {1}), at::log_softmax(z, 1).gather(1, y).squeeze(1), d, d.sum(0)};
}

void expect_close(const at::Tensor& a, const at::Tensor& b, double tolerance, const std::string& what) {
  EXPECT_LE((a.to(at::kDouble) - b).abs().max().item<double>(),
            tolerance * std::max(1.0, b.abs().max().item<double>()))
      << what;
}

TEST(SoftmaxRows, EqualTheirTwinInFp64) {
  int cases = 0;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16})
    for (const std::int64_t v : {1, 2, 15, 16, 17, 33, 1000})
      for (const double scale : {0.1, 5.0, 1e4}) {
        ++cases;
        const Rows rows = random_rows(cases, 1 + 37 * (cases % 4), v, scale, dtype);
        const Results a = fast(rows), b = slow(rows);
        const std::string name = fmt::format("{} columns times {}", v, scale);
        expect_close(a.normaliser, b.normaliser, 1e-6, name);
        expect_close(a.log_p, b.log_p, 1e-6, name);
        expect_close(a.gradient, b.gradient, dtype == at::kFloat ? 2e-6 * std::max(1.0, scale / 100) : 4e-3,
                     name);
        expect_close(a.grad_bias, b.grad_bias, 1e-5 * std::max(1.0, scale / 100), name);
      }
}

TEST(SoftmaxRows, SameBitsForAnyNumberOfThreads) {
  const Rows rows = random_rows(1, 301, 777, 3.0, at::kBFloat16);
  at::set_num_threads(1);
  const Results one = fast(rows);
  for (const int threads : {2, 3}) {
    at::set_num_threads(threads);
    const Results many = fast(rows);
    EXPECT_TRUE(many.log_p.equal(one.log_p));
    EXPECT_TRUE(many.gradient.equal(one.gradient));
    EXPECT_TRUE(many.grad_bias.equal(one.grad_bias));
  }
}

}  // namespace
}  // namespace relmpi
