#include "eval/decisions/progress_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/eval/toy_environment.h"

namespace relmpi {
namespace {

using toy::ToyEpisodes;

TEST(Observe, SeesEverySequenceOnce) {
  ToyEpisodes episodes({}, toy::all_items());
  const std::vector<ObservedStep> steps = observe(episodes, 3);
  EXPECT_EQ(std::ssize(steps), toy::kItems * (2 + 4 + 8));
  EXPECT_EQ(episodes.steps_run, std::ssize(steps));
  std::map<std::pair<Action, int>, std::int64_t> seen;
  for (const ObservedStep& step : steps) seen[{step.action, step.depth}] += 1;
  for (const Action action : kSteps)
    for (const int depth : {0, 1, 2}) EXPECT_EQ((seen[{action, depth}]), toy::kItems << depth);
}

TEST(ProgressModel, UIsTheShareThatIsRight) {
  const ProgressModel progress = toy::fitted({}, 0.01);
  ToyEpisodes episodes({}, toy::all_items());
  EXPECT_EQ(progress.u(episodes.state(0)), 0);  // no item is right before any step
  for (const Action action : kSteps)
    for (const Episodes::Id id : episodes.step(episodes.roots(), action))
      EXPECT_EQ(progress.u(episodes.state(id)), episodes.state(id).correct ? 1 : 0);
}

// Scores that say less than everything: U is their share of right answers, and what a step was and when
// counts.
TEST(ProgressModel, UIsFittedByActionAndByFirstOrLater) {
  std::vector<ObservedStep> steps;
  const auto add = [&](Action action, int depth, double confidence, int right, int wrong) {
    for (int i = 0; i < right + wrong; ++i)
      steps.push_back({.action = action,
                       .depth = depth,
                       .before = {Action::kRetrieve, depth, 0.5},
                       .after = {action, depth + 1, confidence},
                       .correct_before = depth == 0 && i % 4 == 0,
                       .correct_after = i < right,
                       .cost_tokens = 1});
  };
  for (const int depth : {0, 1, 2}) {
    add(Action::kReason, depth, 0.5, depth == 0 ? 2 : 4, depth == 0 ? 6 : 4);  // 1/4, later 1/2
    add(Action::kRetrieve, depth, 0.5, 6, 2);                                  // 3/4
    add(Action::kRetrieve, depth, 0.9, 8, 0);                                  // 1
  }
  const ProgressModel progress(steps, {});
  const auto u = [&](Action action, int depth, double confidence) {
    return progress.u(Evidence{action, depth, confidence});
  };
  EXPECT_EQ(u(Action::kTerminate, 0, 0.9), 0.25);  // before any step
  EXPECT_EQ(u(Action::kReason, 1, 0.5), 0.25);
  EXPECT_EQ(u(Action::kReason, 2, 0.5), 0.5);
  EXPECT_EQ(u(Action::kReason, 3, 0.5), 0.5);
  EXPECT_EQ(u(Action::kRetrieve, 1, 0.5), 0.75);
  EXPECT_EQ(u(Action::kRetrieve, 1, 0.7), 0.875);
  EXPECT_EQ(u(Action::kRetrieve, 1, 2.0), 1);
  // Sums of another order of addition give the same U.
  EXPECT_EQ(u(Action::kRetrieve, 1, 0.7 + 1e-9), 0.875);
}

TEST(ProgressModel, TransitionsAreWhatStepsDid) {
  const ProgressModel progress = toy::fitted({}, 0.01);
  for (const Action action : kSteps) {
    const double helps = action == Action::kRetrieve ? toy::kRetrieveHelps : toy::kReasonHelps;
    double to_right = 0, stays = 0;
    for (const Transition& t : progress.process().step(action).kernel.rows[0]) {
      if (t.state == 0) stays += t.probability;
      if (t.state == 100) to_right += t.probability;
    }
    EXPECT_NEAR(to_right, helps, 1e-9);
    EXPECT_NEAR(stays, 1 - helps, 1e-9);
  }
}

struct Regime {
  std::int64_t retrieve_tokens, reason_tokens;
  Action best;
  double cost;         // of the best step, in steps of mean cost
  double probability;  // that it helps
};

// The value of a wrong answer and the best action are the closed forms of tests/eval/toy_environment.h, on
// both sides of the price at which going on stops to pay, before the first step, the second and later ones.
TEST(ProgressModel, TheBestActionIsTheClosedForm) {
  for (const Regime& r : {Regime{10, 10, Action::kRetrieve, 1.0, toy::kRetrieveHelps},
                          Regime{16, 4, Action::kReason, 0.4, toy::kReasonHelps},
                          Regime{4, 16, Action::kRetrieve, 0.4, toy::kRetrieveHelps}}) {
    const toy::Options options{.retrieve_tokens = r.retrieve_tokens, .reason_tokens = r.reason_tokens};
    const double stops_to_pay = r.probability / r.cost;
    for (const double share : {0.1, 0.5, 0.98, 1.02, 2.0}) {
      const double mu = share * stops_to_pay;
      const ProgressModel progress = toy::fitted(options, mu);
      EXPECT_NEAR(progress.solution().value[0], std::max(0.0, 1 - share), 1e-6);
      const Action wanted = share < 1 ? r.best : Action::kTerminate;
      ToyEpisodes episodes(options, std::vector<std::int64_t>{15 + 16 * 63});  // never right
      std::vector<Episodes::Id> at = episodes.roots();
      for (int depth = 0; depth < 5; ++depth) {
        EXPECT_EQ(progress.best_action(episodes.state(at[0])), wanted) << "mu " << mu << " depth " << depth;
        at = episodes.step(at, Action::kRetrieve);
      }
      EXPECT_EQ(progress.best_action({.depth = 1, .evidence = {Action::kRetrieve, 1, 1.0}, .correct = true}),
                Action::kTerminate);
    }
  }
}

// The first retrieve helps half of the items, the second a quarter, later ones and reasons nobody: a step is
// worth its price as long as its own share is above it.
TEST(ProgressModel, EarlyStepsAreJudgedApartFromLaterOnes) {
  std::vector<ObservedStep> steps;
  for (const Action action : kSteps)
    for (const int depth : {0, 1, 2})
      for (int i = 0; i < 8; ++i) {
        const bool helps = action == Action::kRetrieve && i < (depth == 0 ? 4 : depth == 1 ? 2 : 0);
        steps.push_back({.action = action,
                         .depth = depth,
                         .before = {Action::kRetrieve, depth, 0.0},
                         .after = {action, depth + 1, helps ? 1.0 : 0.0},
                         .correct_after = helps,
                         .cost_tokens = 1});
      }
  const auto retrieves = [&](double mu) {  // of an item that stays wrong
    const ProgressModel progress(steps, {.mu = mu});
    int depth = 0;
    for (; depth < 9; ++depth) {
      const EpisodeState wrong{.depth = depth, .evidence = {Action::kRetrieve, depth, 0.0}};
      if (progress.best_action(wrong) != Action::kRetrieve) break;
    }
    return depth;
  };
  EXPECT_EQ(retrieves(0.2), 2);
  EXPECT_EQ(retrieves(0.3), 1);
  EXPECT_EQ(retrieves(0.6), 0);
}

TEST(ProgressModel, AStepThatIsKnownToChangeNothingIsNotTaken) {
  const ProgressModel progress = toy::fitted({}, 0.01);
  EpisodeState state{.depth = 1, .evidence = {Action::kRetrieve, 1, 0.0}};
  EXPECT_EQ(progress.best_action(state), Action::kRetrieve);
  state.settled[step_index(Action::kRetrieve)] = true;
  EXPECT_EQ(progress.best_action(state), Action::kReason);
  state.settled[step_index(Action::kReason)] = true;
  EXPECT_EQ(progress.best_action(state), Action::kTerminate);
}

TEST(ProgressModel, NoStepsAreRefused) { EXPECT_THROW(ProgressModel({}, {}), InputError); }

}  // namespace
}  // namespace relmpi
