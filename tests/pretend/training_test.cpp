// Training and evaluation on the pretend device, against the CPU on the same path.

#include <gtest/gtest.h>

#include "base/torch_headers.h"
#include "dist/ranks/backends.h"
#include "model/dgca/predictor.h"
#include "model/dgca/tiny_model.h"
#include "model/kernels/own_kernels.h"
#include "tests/pretend/pretend_device.h"
#include "train/selftest/selftest.h"
#include "train/step.h"

namespace relmpi {
namespace {

struct Trained {
  at::Tensor sums;        // (steps, 4) loss sums
  at::Tensor parameters;  // after the last step
  at::Tensor scale;       // of the loss
};

// Steps of two micro-batches with dropout, the last four of them steady.
Trained train(at::Device device, const std::string& precision) {
  Model model = tiny_model(device);
  ModelConfig& c = model.config;
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = c.head_dropout = 0.1;
  const std::unique_ptr<Communicator> communicator = make_communicator({});
  StepOptions options;
  options.precision = precision;
  options.lr = 1e-3;
  options.clip = 0.5;
  TrainStep step(model, *communicator, options);
  TinyRows rows;
  std::vector<at::Tensor> sums;
  const auto run = [&](int number) {
    sums.push_back(
        step.run({.micro_batches = {rows.rows(0, 4), rows.rows(4, 2)}}, number, options.lr, false).sums);
  };
  for (int number = 0; number < 2; ++number) run(number);
  {
    const NoWaits no_waits;
    for (int number = 2; number < 6; ++number) run(number);
  }
  return {at::stack(sums).to(at::kCPU), model.parameters->flat().to(at::kCPU),
          step.optimizer().loss_scale().to(at::kCPU)};
}

TEST(PretendDevice, TrainsAsTheCpuDoesAndASteadyStepNeverWaits) {
  const GeneralKernels general;
  for (const auto& [precision, near] : {std::pair{"fp32", 1e-5}, {"bf16", 3e-2}, {"fp16", 5e-3}}) {
    const Trained cpu = train(at::kCPU, precision), device = train(pretend_device(), precision);
    EXPECT_TRUE(at::allclose(device.sums, cpu.sums, near, near)) << precision;
    EXPECT_TRUE(at::allclose(device.parameters, cpu.parameters, near, near)) << precision;
    EXPECT_TRUE(at::equal(device.scale, cpu.scale)) << precision;
  }
}

TEST(PretendDevice, EvaluatesAsTheCpuDoes) {
  const GeneralKernels general;
  TinyRows rows;
  const auto predictions = [&](at::Device device) {
    const Model model = tiny_model(device);
    const InputBuilder builder(model.config, *model.vocabulary, model.candidates);
    Predictor predictor(model, at::kFloat);
    const Inputs inputs = builder.build(rows.rows(0, 6), {}, device);
    const NoWaits no_waits;
    return predictor.predict(inputs);
  };
  const Predictions cpu = predictions(at::kCPU), device = predictions(pretend_device());
  EXPECT_TRUE(at::equal(device.best.to(at::kCPU), cpu.best));
  EXPECT_TRUE(at::allclose(device.best_log_p.to(at::kCPU), cpu.best_log_p, 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(device.alpha.to(at::kCPU), cpu.alpha, 1e-5, 1e-5));
}

TEST(PretendDevice, PassesTheSelftest) {
  Communicator alone;
  const SelftestReport report = run_selftest(alone, pretend_device());
  EXPECT_EQ(report.failed(), 0) << to_text(report);
  EXPECT_EQ(report.passed(), 7) << to_text(report);
}

// The faults that the tests above rely on being seen.
TEST(PretendDevice, SeesWhatAGpuWouldNotForgive) {
  const at::Tensor x = at::ones({3}).to(pretend_device());
  EXPECT_EQ(x.sum().item<double>(), 3);
  EXPECT_THROW(x + at::ones({3}), c10::Error) << "tensors of two devices";
  EXPECT_THROW(x.index_select(0, at::zeros({1}, at::kLong)), c10::Error);
  EXPECT_EQ((x + at::ones({})).sum().item<double>(), 6) << "a number may come from the host";
  const NoWaits no_waits;
  EXPECT_THROW(x.sum().item<double>(), c10::Error);
  EXPECT_THROW(x.to(at::kCPU), c10::Error);
  EXPECT_THROW(x.nonzero(), c10::Error);
  EXPECT_THROW(x.index({x > 0}), c10::Error);
  EXPECT_NO_THROW(x.masked_fill(x > 0, 2));
}

}  // namespace
}  // namespace relmpi
