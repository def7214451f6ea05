#include "model/dgca/flops.h"

#include <gtest/gtest.h>

namespace relmpi {
namespace {

ModelConfig tiny() {
  ModelConfig c;
  c.hidden_size = 2;
  c.intermediate_size = 4;
  c.num_hidden_layers = 3;
  c.prompt_length = 1;
  c.vocab_size = 10;
  c.candidates = 2;
  return c;
}

// By hand: a row of one character has 4 slots. A layer: 4 slots x (Q, K, V, output: 4 of 2 x 2; feed-forward:
// 2 of 2 x 4) = 128 products, and 2 of 4 x 4 x 2 in the attention = 64. Two operations each.
TEST(Flops, EncoderByHand) {
  EXPECT_EQ(encoder_flops(tiny(), {1}), 3 * 2 * (128 + 64));
  EXPECT_EQ(encoder_flops(tiny(), {1, 1}), 2 * encoder_flops(tiny(), {1}));
}

// One character: detector 4 products, candidate head 4 and 2 x 2 scores, transform 4, each three times in
// training; vocabulary 20, four times.
TEST(Flops, HeadsByHand) {
  ModelConfig c = tiny();
  EXPECT_EQ(head_training_flops(c, 1, 0), 2 * (3 * 4 + 3 * (4 + 4) + 3 * 4 + 4 * 20));
  c.output = Output::kCandidates;  // the vocabulary answers masked characters alone
  EXPECT_EQ(head_training_flops(c, 1, 0), 2 * (3 * 4 + 3 * (4 + 4)));
  c.ablation = Ablation::kBaseline;
  EXPECT_EQ(head_training_flops(c, 1, 1), 2 * 2 * (3 * 4 + 4 * 20));
}

}  // namespace
}  // namespace relmpi
