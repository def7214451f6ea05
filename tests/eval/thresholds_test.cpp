#include "eval/csc/thresholds.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace relmpi {
namespace {

constexpr DecisionThresholds kStart{.detect = 0.5, .gate = 0.3, .margin = 0};

struct Sentences {
  std::vector<SentenceIds> source, target;
  std::vector<std::vector<Change>> changes;
};

// Six characters each; proposals are better the larger their margin and the surer the detector.
Sentences random_sentences(std::uint64_t seed, std::int64_t count) {
  Sentences all;
  for (std::int64_t s = 0; s < count; ++s) {
    Random random(seed, "thresholds test", s);
    SentenceIds source(6, 1), target(6, 1);
    std::vector<Change> changes;
    for (std::int32_t i = 0; i < 6; ++i) {
      const bool wrong = random.uniform() < 0.2;
      if (wrong) target[static_cast<std::size_t>(i)] = 2;
      if (random.uniform() < 0.6)
        changes.push_back({.position = i,
                           .id = random.uniform() < 0.8 ? 2 : 3,
                           .margin = static_cast<float>((wrong ? 6 : 2) * random.uniform()),
                           .d = static_cast<float>((wrong ? 1.0 : 0.4) * random.uniform()),
                           .alpha = static_cast<float>(random.uniform())});
    }
    all.source.push_back(source);
    all.target.push_back(target);
    all.changes.push_back(changes);
  }
  return all;
}

// A sentence after the changes whose margin, detector and gate reach the thresholds.
SentenceIds by_definition(SentenceIds text, const std::vector<Change>& changes, const DecisionThresholds& t) {
  for (const Change& change : changes)
    if (change.margin >= t.margin && change.d >= t.detect && change.alpha >= t.gate)
      text[static_cast<std::size_t>(change.position)] = change.id;
  return text;
}

TEST(Thresholds, GridGoesFromNoChangeToEveryChange) {
  const auto grid = threshold_grid(kStart);
  const std::vector<Change> changes = {{.position = 0, .id = 2, .margin = 100, .d = 1, .alpha = 1},
                                       {.position = 1, .id = 2, .margin = 0, .d = 0, .alpha = 0.3F},
                                       {.position = 2, .id = 2, .margin = 100, .d = 1, .alpha = 0.2F}};
  const SentenceIds source(3, 1);
  EXPECT_EQ(by_definition(source, changes, grid.front()), source);
  EXPECT_EQ(by_definition(source, changes, grid.back()), SentenceIds({2, 2, 1}));  // the gate stays
  for (const DecisionThresholds& t : grid) EXPECT_EQ(t.gate, 0.3);
}

TEST(Thresholds, CountsTheSentencesThatEndRight) {
  const Sentences s = random_sentences(1, 200);
  for (const DecisionThresholds& t : threshold_grid(kStart)) {
    std::int64_t right = 0;
    for (std::size_t i = 0; i < s.source.size(); ++i)
      right += by_definition(s.source[i], s.changes[i], t) == s.target[i];
    EXPECT_EQ(count_right(s.source, s.target, s.changes, t), right);
  }
}

TEST(Thresholds, TuningFindsTheHighestF1) {
  for (const std::uint64_t seed : {2, 3, 4}) {
    const Sentences s = random_sentences(seed, 100);
    const auto f1 = [&](const DecisionThresholds& t) {
      double tp = 0, changed = 0, wrong = 0;
      for (std::size_t i = 0; i < s.source.size(); ++i) {
        const SentenceIds out = by_definition(s.source[i], s.changes[i], t);
        tp += s.source[i] != s.target[i] && out == s.target[i];
        changed += out != s.source[i];
        wrong += s.source[i] != s.target[i];
      }
      return changed + wrong > 0 ? 2 * tp / (changed + wrong) : 0;
    };
    const double found = f1(tune_thresholds(s.source, s.target, s.changes, kStart));
    double best = 0;
    for (const DecisionThresholds& t : threshold_grid(kStart)) best = std::max(best, f1(t));
    EXPECT_NEAR(found, best, 1e-12);
    EXPECT_GT(best, 0.05);
  }
}

// Without a change that helps, all thresholds are equal: the strictest changes nothing.
TEST(Thresholds, TheStrictestOfEqualsWins) {
  const DecisionThresholds found = tune_thresholds({{1, 1}}, {{1, 1}}, {{}}, kStart);
  EXPECT_EQ(found.margin, 1e9);
  EXPECT_EQ(found.detect, 0.5);
}

}  // namespace
}  // namespace relmpi
