#include "eval/decisions/policies.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/eval/toy_environment.h"

namespace relmpi {
namespace {

using toy::ToyEpisodes;

constexpr int kMostSteps = 4;
constexpr const char* kEveryKind[] = {"mdp",           "fixed-0", "fixed-2",   "always-retrieve",
                                      "always-reason", "random",  "threshold", "oracle"};

// A policy fitted on all items at the price `mu`, with the progress model that it looks at.
struct Fitted {
  ProgressModel progress;
  std::unique_ptr<Policy> policy;

  Fitted(const std::string& name, const toy::Options& options, double mu, std::uint64_t seed = 0)
      : progress(toy::fitted(options, mu)),
        policy(std::move(make_policies(std::vector{name}, {.mu = mu, .seed = seed}, progress)[0])) {
    std::vector<CalibrationRuns::Group> groups;
    groups.push_back({toy::all_items(), std::make_unique<ToyEpisodes>(options, toy::all_items())});
    Communicator alone;
    policy->fit(CalibrationRuns(std::move(groups), kMostSteps), alone);
  }
};

std::vector<ItemRow> rows_of(const Policy& policy, const toy::Options& options,
                             const std::vector<std::int64_t>& items = toy::all_items()) {
  ToyEpisodes episodes(options, items);
  std::vector<ItemRow> rows;
  for (const Trajectory& t : policy.run(episodes, items, kMostSteps)) {
    EXPECT_EQ(episodes.state(t.end).correct, t.row.correct);
    EXPECT_EQ(episodes.state(t.end).depth, t.row.iterations);
    rows.push_back(t.row);
  }
  return rows;
}

std::vector<ItemRow> rows_of(const std::string& name, const toy::Options& options, double mu) {
  return rows_of(*Fitted(name, options, mu).policy, options);
}

struct Sums {
  std::int64_t right = 0, retrievals = 0, reasons = 0, tokens = 0;
  bool operator==(const Sums&) const = default;
};

Sums sums_of(const std::vector<ItemRow>& rows) {
  Sums sums;
  for (const ItemRow& row : rows) {
    sums.right += row.correct;
    sums.retrievals += row.retrievals;
    sums.reasons += row.reasons;
    sums.tokens += row.cost_tokens;
    EXPECT_EQ(row.iterations, row.retrievals + row.reasons);
    EXPECT_EQ(row.iterations, std::ssize(row.history));
  }
  return sums;
}

// 1 - 2^-4 of the items are right after the four steps allowed; 1 + 1/2 + 1/4 + 1/8 steps each in the mean.
TEST(Policies, MdpRetrievesUntilRight) {
  EXPECT_EQ(sums_of(rows_of("mdp", {}, 0.4)),
            (Sums{.right = 960, .retrievals = 1024 * 15 / 8, .tokens = 10240 * 15 / 8}));
}

// 27/64 of the items take more than three reasons; 1 + 3/4 + 9/16 + 27/64 steps each.
TEST(Policies, MdpReasonsUntilRightIfThatIsCheaper) {
  EXPECT_EQ(sums_of(rows_of("mdp", {.retrieve_tokens = 16, .reason_tokens = 4}, 0.4)),
            (Sums{.right = 1024 * 37 / 64, .reasons = 16 * 175, .tokens = 4 * 16 * 175}));
}

TEST(Policies, MdpStopsAtOnceIfAStepCostsMoreThanItHelps) {
  EXPECT_EQ(sums_of(rows_of("mdp", {}, 0.51)), Sums{});
  EXPECT_EQ(sums_of(rows_of("mdp", {.retrieve_tokens = 16, .reason_tokens = 4}, 0.63)), Sums{});
}

// At the price that it was fitted for, no other policy that does not know the answers has a larger value.
TEST(Policies, NoneBeatsMdpAtItsPrice) {
  for (const double mu : {0.1, 0.4, 0.49, 0.51, 0.7}) {
    const auto value = [&](const std::string& name) {
      const Sums sums = sums_of(rows_of(name, {}, mu));
      return static_cast<double>(sums.right) - mu * static_cast<double>(sums.tokens) / 10;
    };
    const double best = value("mdp");
    for (const std::string name : kEveryKind) {
      if (name == "oracle") continue;
      EXPECT_GE(best, value(name)) << name << " at " << mu;
    }
  }
}

TEST(Policies, FixedRetrievesAndThenReasonsOnce) {
  for (const int k : {0, 1, 3}) {
    const std::vector<ItemRow> rows = rows_of("fixed-" + std::to_string(k), {}, 0.1);
    EXPECT_EQ(sums_of(rows), (Sums{.right = 1024 - (1024 >> k) * 3 / 4,
                                   .retrievals = 1024 * k,
                                   .reasons = 1024,
                                   .tokens = 10240 * (k + 1)}));
    for (const ItemRow& row : rows) EXPECT_EQ(row.history.back().action, Action::kReason);
  }
}

TEST(Policies, AlwaysGoesOnToTheLastStep) {
  EXPECT_EQ(sums_of(rows_of("always-retrieve", {}, 0.1)),
            (Sums{.right = 960, .retrievals = 4 * 1024, .tokens = 40960}));
  EXPECT_EQ(sums_of(rows_of("always-reason", {}, 0.1)),
            (Sums{.right = 592, .reasons = 4 * 1024, .tokens = 40960}));
}

// It knows one kind of step and one number: here that is enough to do what mdp does.
TEST(Policies, ThresholdIsFittedToThePrice) {
  EXPECT_EQ(sums_of(rows_of("threshold", {}, 0.49)), sums_of(rows_of("mdp", {}, 0.49)));
  EXPECT_EQ(sums_of(rows_of("threshold", {}, 0.51)), Sums{});
}

TEST(Policies, RandomTakesAsManyStepsAsMdp) {
  const std::vector<ItemRow> rows = rows_of("random", {}, 0.4);
  std::map<std::int64_t, std::int64_t> steps;
  for (const ItemRow& row : rows) steps[row.iterations] += 1;
  EXPECT_EQ(steps[1] + steps[2], 1024);  // 15/8 in the mean
  EXPECT_NEAR(static_cast<double>(steps[2]), 1024 * 7 / 8.0, 50);
  EXPECT_EQ(sums_of(rows).reasons, 0);  // as mdp's
  EXPECT_EQ(sums_of(rows_of("random", {}, 0.6)), Sums{});
}

TEST(Policies, RandomDrawsFromSeedAndItem) {
  const auto draws = [](std::uint64_t seed, const std::vector<std::int64_t>& items) {
    std::map<std::int64_t, std::int64_t> steps;
    for (const ItemRow& row : rows_of(*Fitted("random", {}, 0.4, seed).policy, {}, items))
      steps[row.item] = row.iterations;
    return steps;
  };
  const auto all = draws(7, toy::all_items());
  EXPECT_EQ(draws(7, toy::all_items()), all);
  EXPECT_NE(draws(8, toy::all_items()), all);
  std::vector<std::int64_t> backwards = toy::all_items();
  std::ranges::reverse(backwards);
  EXPECT_EQ(draws(7, backwards), all);
}

// The slow twin of the oracle: all sequences of an item, one after the other.
TEST(Policies, OracleFindsTheCheapestWayToBeRight) {
  const toy::Options options{.retrieve_tokens = 9, .reason_tokens = 5};
  for (const ItemRow& row : rows_of("oracle", options, 0.1)) {
    std::int64_t cheapest = -1;
    for (int retrieves = 0; retrieves <= 3; ++retrieves)
      for (int reasons = 0; retrieves + reasons <= 3; ++reasons) {
        if (retrieves < toy::retrieves_needed(row.item) && reasons < toy::reasons_needed(row.item)) continue;
        const std::int64_t cost = 9 * retrieves + 5 * reasons;
        if (cheapest < 0 || cost < cheapest) cheapest = cost;
      }
    EXPECT_EQ(row.correct, cheapest >= 0) << row.item;
    EXPECT_EQ(row.cost_tokens, std::max<std::int64_t>(cheapest, 0)) << row.item;
  }
}

// The slow twin of a run in lockstep: an item at a time.
TEST(Policies, ARunInLockstepIsARunOfEachItem) {
  for (const std::string name : kEveryKind) {
    const Fitted fitted(name, {}, 0.2);
    std::vector<ItemRow> alone;
    for (const std::int64_t item : toy::all_items()) {
      const auto rows = rows_of(*fitted.policy, {}, {item});
      alone.insert(alone.end(), rows.begin(), rows.end());
    }
    EXPECT_EQ(rows_of(*fitted.policy, {}), alone) << name;
  }
}

TEST(Policies, HistoryTellsUBeforeAndAfter) {
  for (const ItemRow& row : rows_of("mdp", {}, 0.4)) {
    EXPECT_EQ(row.policy, "mdp");
    for (std::size_t i = 0; i < row.history.size(); ++i) {
      EXPECT_EQ(row.history[i].u_before, 0);
      EXPECT_EQ(row.history[i].u_after, i + 1 == row.history.size() && row.correct ? 1 : 0);
      EXPECT_EQ(row.history[i].cost_tokens, 10);
    }
    EXPECT_EQ(row.cost_ms, 0.5 * static_cast<double>(row.iterations));
  }
}

TEST(Policies, NamesAreWrittenOut) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(expand_policy_names(Names{"mdp", "fixed-k", "oracle"}, 2),
            Names({"mdp", "fixed-0", "fixed-1", "fixed-2", "oracle"}));
  EXPECT_EQ(expand_policy_names(Names{"fixed-03"}, 8), Names{"fixed-3"});
  for (const Names& wrong : {Names{"best"}, Names{"fixed-"}, Names{"fixed-x"}, Names{"fixed-9"}, Names{""},
                             Names{"mdp", "mdp"}, Names{"fixed-k", "fixed-2"}, Names{}})
    EXPECT_THROW(expand_policy_names(wrong, 8), InputError);
}

TEST(Policies, EveryKnownNameIsMade) {
  const ProgressModel progress = toy::fitted({}, 0.1);
  const std::vector<std::string> names(std::begin(kEveryKind), std::end(kEveryKind));
  const auto policies = make_policies(expand_policy_names(names, 8), {}, progress);
  ASSERT_EQ(policies.size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) EXPECT_EQ(policies[i]->name(), names[i]);
}

}  // namespace
}  // namespace relmpi
