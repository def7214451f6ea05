#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/torch_headers.h"

namespace relmpi {
namespace {

// Of 64 numbers each, so that nothing lies between them.
constexpr int kNumbers = 128;
std::vector<ParameterSpec> two_leaves() {
  return {{.name = "w", .shape = {16, 4}, .decay = true}, {.name = "w.bias", .shape = {64}, .decay = false}};
}

StepOptions options() {
  StepOptions o;
  o.beta1 = 0.8;
  o.beta2 = 0.95;
  o.weight_decay = 0.1;
  o.clip = 0.5;
  return o;
}

// AdamW written out in doubles, element by element.
struct Reference {
  std::vector<double> p, m, v;
  std::int64_t steps = 0;

  void step(std::vector<double> g, double lr, const StepOptions& o) {
    double norm = 0;
    for (const double x : g) norm += x * x;
    const double factor = std::min(1.0, o.clip / (std::sqrt(norm) + 1e-6));
    ++steps;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double x = g[i] * factor, decay = i < 64 ? o.weight_decay : 0.0;
      p[i] -= lr * decay * p[i];
      m[i] = o.beta1 * m[i] + (1 - o.beta1) * x;
      v[i] = o.beta2 * v[i] + (1 - o.beta2) * x * x;
      const double mean = m[i] / (1 - std::pow(o.beta1, steps)),
                   square = v[i] / (1 - std::pow(o.beta2, steps));
      p[i] -= lr * mean / (std::sqrt(square) + o.epsilon);
    }
  }
};

TEST(Optimizer, IsAdamWWithClippingAndNoDecayOnBiases) {
  at::manual_seed(4);
  Parameters parameters(two_leaves(), at::kCPU);
  parameters.flat().copy_(at::randn({kNumbers}));
  Optimizer optimizer(parameters, options());
  Reference reference;
  for (int i = 0; i < kNumbers; ++i) reference.p.push_back(parameters.flat()[i].item<double>());
  reference.m.assign(kNumbers, 0);
  reference.v.assign(kNumbers, 0);
  for (int step = 0; step < 10; ++step) {
    const at::Tensor grad = at::randn({kNumbers}) * (step % 2 == 0 ? 1.0 : 0.01);
    parameters.flat_grad().copy_(grad);
    std::vector<double> g;
    for (int i = 0; i < kNumbers; ++i) g.push_back(grad[i].item<double>());
    reference.step(g, 1e-2, options());
    optimizer.step(1e-2);
    EXPECT_NEAR(optimizer.grad_norm().item<double>(), grad.norm().item<double>(), 1e-5);
  }
  for (int i = 0; i < kNumbers; ++i)
    EXPECT_NEAR(parameters.flat()[i].item<double>(), reference.p[static_cast<std::size_t>(i)], 2e-6);
}

TEST(Optimizer, SkipsStepsWhoseGradientsAreNotFinite) {
  Parameters parameters(two_leaves(), at::kCPU);
  StepOptions o = options();
  o.precision = "fp16";
  Optimizer optimizer(parameters, o);
  const double scale = optimizer.loss_scale().item<double>();
  parameters.flat().fill_(1.0);
  parameters.flat_grad().fill_(1.0);
  parameters.flat_grad()[4] = std::numeric_limits<float>::infinity();
  optimizer.step(0.1);
  EXPECT_TRUE(parameters.flat().eq(1.0).all().item<bool>());
  EXPECT_TRUE(optimizer.first_moment().eq(0.0).all().item<bool>());
  EXPECT_EQ(optimizer.skipped().item<double>(), 1.0);
  EXPECT_EQ(optimizer.loss_scale().item<double>(), scale / 2);
  parameters.flat_grad().fill_(scale / 2);  // a gradient of 1, scaled
  optimizer.step(0.1);
  EXPECT_FALSE(parameters.flat().eq(1.0).any().item<bool>());
  EXPECT_EQ(optimizer.skipped_row().item<double>(), 0.0);
  EXPECT_NEAR(optimizer.grad_norm().item<double>(), std::sqrt(kNumbers), 1e-3);
}

TEST(Schedule, RisesThenFallsToZero) {
  EXPECT_DOUBLE_EQ(schedule_factor(Schedule::kLinear, 0, 100, 0.1), 0.1);
  EXPECT_DOUBLE_EQ(schedule_factor(Schedule::kLinear, 9, 100, 0.1), 1.0);
  EXPECT_DOUBLE_EQ(schedule_factor(Schedule::kLinear, 55, 100, 0.1), 0.5);
  EXPECT_DOUBLE_EQ(schedule_factor(Schedule::kLinear, 100, 100, 0.1), 0.0);
  EXPECT_DOUBLE_EQ(schedule_factor(Schedule::kCosine, 55, 100, 0.1), 0.5);
  EXPECT_DOUBLE_EQ(schedule_factor(Schedule::kConstant, 99, 100, 0.1), 1.0);
}

}  // namespace
}  // namespace relmpi
