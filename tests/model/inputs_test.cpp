#include "model/dgca/inputs.h"

#include <gtest/gtest.h>

#include "base/torch_headers.h"

namespace relmpi {
namespace {

constexpr std::int32_t kPad = 0, kCls = 2, kSep = 3, kMask = 4;

Vocabulary vocabulary() {
  return Vocabulary::from_bytes("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n一\n二\n三\n四\n五\n", "test");
}

ModelConfig config(Positions positions, std::int64_t prompt_length = 2) {
  ModelConfig c;
  c.vocab_size = 10;
  c.prompt_length = prompt_length;
  c.candidates = 2;
  c.positions = positions;
  return c;
}

CandidateTable table() {
  CandidateTable t;
  t.vocabulary_size = 10;
  t.width = 2;
  t.ids = {0, -1, 1, -1, 2, -1, 3, -1, 4, -1, 5, 6, 6, 5, -1, -1, 8, -1, 9, -1};  // 7 has none
  return t;
}

// Rows 五六 -> 五五 (one error) and 七 (right).
struct TwoRows {
  std::int32_t source[4] = {5, 6, 7, 0}, target[4] = {5, 5, 7, 0}, lengths[2] = {2, 1};
  std::int64_t sentences[2] = {10, 11};
  Batch batch() {
    return {.rows = 2,
            .width = 2,
            .source = source,
            .target = target,
            .lengths = lengths,
            .sentences = sentences};
  }
};

std::vector<std::int64_t> list(const at::Tensor& t) {
  const at::Tensor flat = t.to(at::kLong).contiguous().view(-1);
  return {flat.data_ptr<std::int64_t>(), flat.data_ptr<std::int64_t>() + flat.numel()};
}

TEST(Inputs, LaysOutRowsOfDifferentLengths) {
  const InputBuilder builder(config(Positions::kSequential), vocabulary(), table());
  TwoRows rows;
  LossCounts counts;
  const Inputs in = builder.build(rows.batch(), {0, 1, 0}, at::kCPU, &counts);
  EXPECT_EQ(list(in.ids), (std::vector<std::int64_t>{kCls, kCls, 5, kMask, kSep, kSep, kMask, kMask,  //
                                                     kCls, kCls, 7, kSep, kSep, kMask, kPad, kPad}));
  EXPECT_EQ(list(in.positions), (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 0, 0}));
  EXPECT_EQ(list(in.prompt_slots), (std::vector<std::int64_t>{0, 1, 4, 5, 8, 9, 11, 12}));
  EXPECT_EQ(list(in.source_slots), (std::vector<std::int64_t>{2, 3, 10}));
  EXPECT_EQ(list(in.target_slots), (std::vector<std::int64_t>{6, 7, 13}));
  EXPECT_EQ(list(in.source), (std::vector<std::int64_t>{5, 6, 7}));
  EXPECT_EQ(list(in.labels), (std::vector<std::int64_t>{5, 5, 7}));
  EXPECT_EQ(list(in.masked_index), (std::vector<std::int64_t>{1}));
  EXPECT_EQ(list(in.open_index), (std::vector<std::int64_t>{1, 2}));  // masked; without candidates
  EXPECT_EQ(list(in.padding_mask),
            (std::vector<std::int64_t>{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0}));
  EXPECT_EQ(counts.characters, 3);
  EXPECT_EQ(counts.masked, 1);
  EXPECT_EQ(counts.positions, 4);
  EXPECT_EQ(counts.ranked,
            1);  // the first character alone: the second is masked, the third has no candidates
}

TEST(Inputs, AlignedTargetsShareTheNumbersOfTheirSources) {
  const InputBuilder builder(config(Positions::kAligned), vocabulary(), table());
  TwoRows rows;
  const Inputs in = builder.build(rows.batch(), {}, at::kCPU);
  EXPECT_EQ(list(in.positions), (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 2, 3, 0, 1, 2, 3, 4, 2, 0, 0}));
}

TEST(Inputs, RefusesWhatDoesNotFit) {
  ModelConfig small = config(Positions::kSequential);
  small.max_length = 6;  // one character
  const InputBuilder builder(small, vocabulary(), table());
  TwoRows rows;
  EXPECT_THROW(builder.build(rows.batch(), {}, at::kCPU), InputError);
}

TEST(Masking, DependsOnSeedEpochSentenceAndPositionAlone) {
  std::vector<std::int32_t> ids(200, 5), wrong(200, 6);
  std::int32_t lengths[2] = {100, 100};
  std::int64_t sentences[2] = {3, 4}, swapped[2] = {4, 3};
  Batch batch{.rows = 2,
              .width = 100,
              .source = ids.data(),
              .target = ids.data(),
              .lengths = lengths,
              .sentences = sentences};
  const MaskOptions options{.mode = MaskMode::kCorrect, .rate = 0.3, .seed = 9};
  const auto first = masked_characters(batch, 0, options);
  EXPECT_EQ(first, masked_characters(batch, 0, options));
  EXPECT_NE(first, masked_characters(batch, 1, options));
  batch.sentences = swapped;
  const auto other = masked_characters(batch, 0, options);
  EXPECT_TRUE(std::equal(first.begin(), first.begin() + 100, other.begin() + 100));
  const auto share = static_cast<double>(std::count(first.begin(), first.end(), 1)) / 200;
  EXPECT_NEAR(share, 0.3, 0.12);
  batch.source = wrong.data();
  const auto errors = masked_characters(batch, 0, options);
  EXPECT_EQ(std::count(errors.begin(), errors.end(), 1), 0);  // mode "correct" leaves wrong characters alone
}

}  // namespace
}  // namespace relmpi
