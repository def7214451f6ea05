// What only a GPU can show. Without one each test is skipped by name.

#include <gtest/gtest.h>

#include "base/torch_headers.h"
#include "model/initialise.h"
#include "train/step.h"
#if RELMPI_CUDA
#include <c10/cuda/CUDAFunctions.h>
#endif

namespace relmpi {
namespace {

constexpr std::int64_t kVocabulary = 40, kRows = 6, kWidth = 9;

// Six rows of different lengths, in host memory.
struct Rows {
  std::vector<std::int32_t> source, target, lengths;
  std::vector<std::int64_t> sentences;

  Rows() {
    for (std::int64_t b = 0; b < kRows; ++b) {
      lengths.push_back(static_cast<std::int32_t>(kWidth - b));
      sentences.push_back(b);
      for (std::int64_t i = 0; i < kWidth; ++i) {
        source.push_back(static_cast<std::int32_t>(i < lengths.back() ? 5 + (7 * b + 3 * i) % 30 : 0));
        target.push_back(source.back() > 0 && i % 4 == 1 ? source.back() + 1 : source.back());
      }
    }
  }

  StepBatches step() {
    return {.micro_batches = {{.rows = kRows,
                               .width = kWidth,
                               .source = source.data(),
                               .target = target.data(),
                               .lengths = lengths.data(),
                               .sentences = sentences.data()}}};
  }
};

Model make_model(at::Device device) {
  Model model;
  ModelConfig& c = model.config;
  c.vocab_size = kVocabulary;
  c.hidden_size = 64;
  c.num_attention_heads = 4;
  c.num_hidden_layers = 2;
  c.intermediate_size = 128;
  c.candidates = 3;
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = c.head_dropout = 0;
  std::string bytes = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  model.candidates = {.vocabulary_size = kVocabulary, .width = 3};
  for (std::int32_t id = 0; id < kVocabulary; ++id) {
    if (id >= 5) bytes += fmt::format("w{}\n", id);
    const bool plain = id >= 5 && id + 2 < kVocabulary;
    for (const std::int32_t other : {id, plain ? id + 1 : -1, plain ? id + 2 : -1})
      model.candidates.ids.push_back(other);
  }
  model.vocabulary = std::make_shared<Vocabulary>(Vocabulary::from_bytes(bytes, "test"));
  model.parameters = std::make_shared<Parameters>(parameter_specs(c), device);
  initialise(*model.parameters, c, {.seed = 3});
  return model;
}

// Loss sums of some steps on a device.
at::Tensor train(at::Device device, const std::string& precision, int steps,
                 const std::function<void(int)>& before) {
  Model model = make_model(device);
  const std::unique_ptr<Communicator> communicator = make_communicator({});
  TrainOptions options;
  options.precision = precision;
  options.lr = 1e-3;
  TrainStep step(model, *communicator, options);
  Rows rows;
  std::vector<at::Tensor> sums;
  for (int i = 0; i < steps; ++i) {
    before(i);
    sums.push_back(step.run(rows.step(), i, options.lr, false).sums);
  }
  before(steps);
  return at::stack(sums).to(at::kCPU);
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
    const auto guard = [](int step) {
      if (step == 2) c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR);
      if (step == 12) c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
    };
    EXPECT_NO_THROW(train(at::Device(at::kCUDA, 0), precision, 12, guard)) << precision;
    c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
  }
}
#endif

TEST_F(Gpu, LossesEqualThoseOfTheCpu) {
  const auto nothing = [](int) {};
  const at::Tensor cpu = train(at::kCPU, "fp32", 20, nothing);
  EXPECT_TRUE(at::allclose(train(at::Device(at::kCUDA, 0), "fp32", 20, nothing), cpu, 1e-3, 1e-3));
  EXPECT_TRUE(at::allclose(train(at::Device(at::kCUDA, 0), "bf16", 20, nothing), cpu, 1e-1, 1e-1));
  EXPECT_TRUE(at::allclose(train(at::Device(at::kCUDA, 0), "fp16", 20, nothing), cpu, 3e-2, 3e-2));
}

}  // namespace
}  // namespace relmpi
