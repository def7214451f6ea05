// How many kernels a GPU would have to start: on short work the host takes longer to start them than the
// GPU to run them. Before the general path was made shorter, this device counted 1333 in the training step
// and 2084 in the decoded token.

#include <gtest/gtest.h>

#include "base/torch_headers.h"
#include "dist/ranks/backends.h"
#include "model/dgca/tiny_model.h"
#include "model/llm/decoder.h"
#include "tests/model/tiny_llm.h"
#include "tests/pretend/pretend_device.h"
#include "train/step.h"

namespace relmpi {
namespace {

// The layers of BERT-base, whose width does not matter here.
TEST(Launches, OfATrainingStepStayFew) {
  Model model = tiny_model(pretend_device(), 12);
  ModelConfig& c = model.config;
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = c.head_dropout = 0.1;
  const std::unique_ptr<Communicator> communicator = make_communicator({});
  StepOptions options;
  options.precision = "bf16";
  TrainStep step(model, *communicator, options);
  TinyRows rows;
  const auto run = [&](int number) { step.run({.micro_batches = {rows.rows(0, 6)}}, number, 1e-4, false); };
  run(0);
  reset_pretend_costs();
  run(1);
  const PretendCosts costs = pretend_costs();
  EXPECT_LE(costs.all_kernels(), 800) << costs.table();
  EXPECT_LE(costs.uploads, 2) << "copies from the host";
}

TEST(Launches, OfADecodedTokenStayFew) {
  const TinyLlm tiny("qwen3", true, 28);
  const LlmConfig config = tiny.decoder().config();
  Decoder decoder(tiny.folder(), config, at::kBFloat16, one_place(config, pretend_device()));
  KvCache cache = decoder.make_cache(1, 20);
  const std::vector<std::int32_t> prompt{1, 2, 3, 4}, next{5};
  decoder.forward({{0, prompt}}, cache);
  reset_pretend_costs();
  decoder.logits(decoder.forward({{0, next}}, cache).last);
  const PretendCosts costs = pretend_costs();
  EXPECT_LE(costs.all_kernels(), 500) << costs.table();
  EXPECT_EQ(costs.uploads, 1);
}

}  // namespace
}  // namespace relmpi
