#include "eval/csc/evaluate.h"

#include <gtest/gtest.h>

#include "base/torch_headers.h"
#include "dist/ranks/communicator.h"
#include "model/dgca/tiny_model.h"
#include "tests/data/shard_testing.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

constexpr DecisionThresholds kEverything{.detect = 0, .gate = 0, .margin = 0};
constexpr DecisionThresholds kNothing{.detect = 0, .gate = 0, .margin = 1e9};

// The tiny model (not trained: it would change most characters) with 34 characters for its tokens, and 25
// sentences of them, two of which hold a character that is outside the vocabulary.
class Evaluate : public ::testing::Test {
 protected:
  Evaluate() : model_(tiny_model(at::kCPU)) {
    std::u32string characters;
    for (char32_t c = 0x4E00; c < 0x4E00 + 34; ++c) characters += c;
    model_.vocabulary = std::make_shared<Vocabulary>(testing::vocabulary_of(characters));
    std::vector<TextPair> pairs;
    for (std::size_t i = 0; i < 25; ++i) {
      TextPair pair;
      for (std::size_t k = 0; k < 3 + i % 7; ++k) pair.target += characters[(11 * i + 5 * k) % 34];
      pair.source = pair.target;
      if (i % 2 == 0) pair.source[1] = characters[(i + 3) % 34];
      if (i % 12 == 1) pair.source[0] = pair.target[0] = U'é';
      pairs.push_back(pair);
    }
    data_ = std::make_unique<Dataset>(testing::shard(folder_, pairs, *model_.vocabulary), *model_.vocabulary);
  }

  Evaluation run(const EvaluateOptions& options, const DecisionThresholds& thresholds = kEverything) {
    const Predictor predictor(model_, at::kFloat);
    Communicator alone;
    return evaluate(Corrector(predictor), *data_, thresholds, alone, options);
  }

  testing::TemporaryFolder folder_;
  Model model_;
  std::unique_ptr<Dataset> data_;
};

TEST_F(Evaluate, MetricsAreThoseOfTheRows) {
  const Evaluation found = run({});
  ASSERT_EQ(found.rows.size(), 25u);
  CscMetrics counted;
  std::size_t changed = 0;
  for (std::size_t i = 0; i < found.rows.size(); ++i) {
    const CorrectionRow& row = found.rows[i];
    EXPECT_EQ(row.sentence, static_cast<std::int64_t>(i));
    EXPECT_EQ(row.source, data_->text(row.sentence).source);
    EXPECT_EQ(row.target, data_->text(row.sentence).target);
    counted.add(row.source, row.target, row.prediction);
    changed += row.prediction != row.source;
  }
  EXPECT_GT(changed, 20u);  // or the other tests say little
  EXPECT_EQ(found.metrics, counted);
  EXPECT_EQ(found.too_long, 0);
}

TEST_F(Evaluate, ThresholdsThatAcceptNothingLeaveTheTextAsItWas) {
  for (const CorrectionRow& row : run({}, kNothing).rows) EXPECT_EQ(row.prediction, row.source);
}

TEST_F(Evaluate, BatchesAndTheLimitChangeNoRow) {
  const Evaluation whole = run({}), parts = run({.batch = 4}), few = run({.limit = 7});
  ASSERT_EQ(few.rows.size(), 7u);
  for (std::size_t i = 0; i < whole.rows.size(); ++i) {
    EXPECT_EQ(parts.rows[i].prediction, whole.rows[i].prediction) << i;
    if (i < 7) {
      EXPECT_EQ(few.rows[i].prediction, whole.rows[i].prediction) << i;
    }
  }
}

TEST_F(Evaluate, TheLossIsThatOfAllRowsInOneBatch) {
  const Predictor predictor(model_, at::kFloat);
  const SentencePairs pairs = read_sentence_pairs(*data_, 0);
  at::Tensor sums = at::zeros({4}, at::kDouble);
  LossCounts counts;
  Corrector(predictor).propose({pairs.source.begin(), pairs.source.end()},
                               {pairs.target.begin(), pairs.target.end()}, sums, counts);
  const double loss = loss_means(sums, counts).total();
  EXPECT_GT(loss, 0);
  EXPECT_NEAR(run({.batch = 4, .losses = true}).loss, loss, 1e-5 * loss);
  EXPECT_EQ(run({}).loss, 0);
}

TEST_F(Evaluate, ASecondPassReadsWhatTheFirstWrote) {
  const Evaluation first = run({}), second = run({.passes = 2});
  const Predictor predictor(model_, at::kFloat);
  const Corrector corrector(predictor);
  std::size_t moved = 0;
  for (std::size_t i = 0; i < first.rows.size(); ++i) {
    const std::u32string& text = first.rows[i].prediction;
    if (text.find(U'é') != std::u32string::npos) continue;  // [UNK] gives no text back
    SentenceIds ids;
    for (const char32_t c : text) ids.push_back(model_.vocabulary->character_id(c));
    const auto again = corrector.propose(std::vector<SentenceIds>{ids}, Gating::kModel);
    EXPECT_EQ(second.rows[i].prediction,
              with_changes(text, again[0].changes, kEverything, *model_.vocabulary));
    moved += second.rows[i].prediction != text;
  }
  EXPECT_GT(moved, 0u);
}

TEST_F(Evaluate, TunedThresholdsAreNeverWorseThanTheGivenOnes) {
  const Evaluation given = run({}), tuned = run({.tune = true});
  EXPECT_GE(tuned.metrics.correction.f1(), given.metrics.correction.f1());
  const Evaluation again = run({}, tuned.thresholds);
  EXPECT_EQ(again.metrics, tuned.metrics);
}

TEST_F(Evaluate, SentencesThatDoNotFitStayAsTheyAre) {
  model_.config.max_length = 2 * 5 + 2 * model_.config.border();  // 5 characters
  const Evaluation found = run({});
  std::int64_t longer = 0;
  for (const CorrectionRow& row : found.rows) {
    if (row.source.size() <= 5) continue;
    ++longer;
    EXPECT_EQ(row.prediction, row.source);
  }
  EXPECT_EQ(found.too_long, longer);
  EXPECT_GT(longer, 0);
}

TEST_F(Evaluate, OptionsThatCannotBeAreRefused) {
  EXPECT_NE(input_error_of([&] { run({.passes = 0}); }).find("--passes is 0"), std::string::npos);
  EXPECT_NE(input_error_of([&] { run({.batch = 0}); }).find("--batch is 0"), std::string::npos);
  EXPECT_NE(input_error_of([&] { run({.passes = 2, .tune = true}); }).find("--passes 2"), std::string::npos);
}

TEST(WithChanges, MakesWhatTheThresholdsAccept) {
  const std::vector<Change> changes{{.position = 0, .id = 7, .margin = 1, .d = 0.9F, .alpha = 0.9F},
                                    {.position = 2, .id = 8, .margin = 3, .d = 0.2F, .alpha = 0.9F},
                                    {.position = 3, .id = 9, .margin = 3, .d = 0.9F, .alpha = 0.1F}};
  const SentenceIds source{1, 2, 3, 4};
  EXPECT_EQ(with_changes(source, changes, kEverything), (SentenceIds{7, 2, 8, 9}));
  EXPECT_EQ(with_changes(source, changes, {.detect = 0.5, .gate = 0.3}), (SentenceIds{7, 2, 3, 4}));
  EXPECT_EQ(with_changes(source, changes, {.detect = 0, .gate = 0.3, .margin = 2}),
            (SentenceIds{1, 2, 8, 4}));
  const Proposal proposal{changes, {-1, -2, -40, -4}, {-0.5, -2, -0.25, -1}};
  EXPECT_DOUBLE_EQ(log_confidence(proposal, kNothing), -1 - 2 - 30 - 4);
  EXPECT_DOUBLE_EQ(log_confidence(proposal, kEverything), -0.5 - 2 - 0.25 - 1);
}

}  // namespace
}  // namespace relmpi
