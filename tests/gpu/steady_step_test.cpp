// What only a GPU can show. Without one each test is skipped by name.

#include <gtest/gtest.h>

#include "base/torch_headers.h"
#include "dist/ranks/backends.h"
#include "model/dgca/tiny_model.h"
#include "train/step.h"
#if RELMPI_CUDA
#include <c10/cuda/CUDAFunctions.h>
#endif

namespace relmpi {
namespace {

const at::Device kGpu(at::kCUDA, 0);

struct How {
  std::string precision = "fp32";
  bool graphs = false;
  double dropout = 0;
};

struct Trained {
  at::Tensor sums;        // (steps, 4) loss sums
  at::Tensor parameters;  // after the last step
};

Trained train(
    at::Device device, const How& how, int steps, const std::function<void(int)>& before = [](int) {}) {
  Model model = tiny_model(device);
  ModelConfig& c = model.config;
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = c.head_dropout = how.dropout;
  const std::unique_ptr<Communicator> communicator = make_communicator({});
  StepOptions options;
  options.precision = how.precision;
  options.cuda_graphs = how.graphs;
  options.lr = 1e-3;
  TrainStep step(model, *communicator, options);
  TinyRows rows;
  std::vector<at::Tensor> sums;
  for (int i = 0; i < steps; ++i) {
    before(i);
    sums.push_back(
        step.run({.micro_batches = {rows.rows(0, 4), rows.rows(4, 2)}}, i, options.lr, false).sums);
  }
  before(steps);
  return {at::stack(sums).to(at::kCPU), model.parameters->flat().to(at::kCPU)};
}

class Gpu : public ::testing::Test {
 protected:
  void SetUp() override {
#if RELMPI_CUDA
    if (c10::cuda::device_count() == 0) GTEST_SKIP() << "there is no GPU";
#else
    GTEST_SKIP() << "this build has no CUDA";
#endif
  }
};

#if RELMPI_CUDA
// libtorch throws at the first call that waits for the device, from the third step to the last.
TEST_F(Gpu, ASteadyStepNeverWaitsForTheDevice) {
  for (const char* precision : {"fp32", "bf16", "fp16"}) {
    for (const bool graphs : {false, true}) {
      const auto guard = [](int step) {
        if (step == 4) c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR);
        if (step == 12) c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
      };
      EXPECT_NO_THROW(train(kGpu, {.precision = precision, .graphs = graphs}, 12, guard))
          << precision << (graphs ? ", graphs" : "");
      c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
    }
  }
}
#endif

TEST_F(Gpu, LossesEqualThoseOfTheCpu) {
  const at::Tensor cpu = train(at::kCPU, {}, 20).sums;
  EXPECT_TRUE(at::allclose(train(kGpu, {}, 20).sums, cpu, 1e-3, 1e-3));
  EXPECT_TRUE(at::allclose(train(kGpu, {.precision = "bf16"}, 20).sums, cpu, 1e-1, 1e-1));
  EXPECT_TRUE(at::allclose(train(kGpu, {.precision = "fp16"}, 20).sums, cpu, 3e-2, 3e-2));
}

// Two shapes a step (24 and 16 slots: nothing to round up), captured in the second step and replayed from
// then on, with the same dropout.
TEST_F(Gpu, GraphsTrainAsEagerStepsDo) {
  for (const char* precision : {"fp32", "bf16", "fp16"}) {
    const Trained eager = train(kGpu, {.precision = precision, .dropout = 0.1}, 10);
    const Trained graphs = train(kGpu, {.precision = precision, .graphs = true, .dropout = 0.1}, 10);
    const double tolerance = std::string(precision) == "fp32" ? 1e-4 : 2e-2;
    EXPECT_TRUE(at::allclose(graphs.sums, eager.sums, tolerance, tolerance)) << precision;
    EXPECT_TRUE(at::allclose(graphs.parameters, eager.parameters, tolerance, tolerance)) << precision;
  }
}

}  // namespace
}  // namespace relmpi
