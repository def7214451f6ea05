#include "eval/decisions/decision_process.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "eval/decisions/policy_evaluation.h"

namespace relmpi {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A process with kernels that lead anywhere, down too.
DecisionProcess random_process(std::uint64_t seed, std::int64_t states, double gamma) {
  Random random(seed, "random process");
  DecisionProcess process;
  process.gamma = gamma;
  for (std::int64_t state = 0; state < states; ++state) process.terminal_reward.push_back(random.uniform());
  for (StepModel* step : {&process.reason, &process.retrieve}) {
    for (std::int64_t state = 0; state < states; ++state) {
      step->reward.push_back(-0.2 * random.uniform());
      auto& row = step->kernel.rows.emplace_back();
      double left = 1;
      for (int i = 0; i < 2; ++i) {
        const double part = left * random.uniform();
        row.push_back({static_cast<std::int64_t>(random.below(states)), part});
        left -= part;
      }
      row.push_back({static_cast<std::int64_t>(random.below(states)), left});
    }
  }
  return process;
}

ActionTable random_policy(std::uint64_t seed, std::int64_t states) {
  Random random(seed, "random policy");
  ActionTable policy;
  for (std::int64_t state = 0; state < states; ++state) policy.push_back(kActions[random.below(3)]);
  return policy;
}

// The expected reward of the first `horizon` steps, by forward sums over distributions.
double value_by_horizon(const DecisionProcess& process, const ActionTable& policy, std::int64_t start,
                        int horizon) {
  std::vector<double> mass(process.states(), 0.0);
  mass[start] = 1;
  double value = 0;
  double discount = 1;
  for (int t = 0; t < horizon; ++t) {
    std::vector<double> next(process.states(), 0.0);
    for (std::int64_t state = 0; state < process.states(); ++state) {
      if (policy[state] == Action::kTerminate) {
        value += discount * mass[state] * process.terminal_reward[state];
        continue;
      }
      const StepModel& step = process.step(policy[state]);
      value += discount * mass[state] * step.reward[state];
      for (const Transition& move : step.kernel.rows[state])
        next[move.state] += mass[state] * move.probability;
    }
    mass = next;
    discount *= process.gamma;
  }
  return value;
}

TEST(PolicyEvaluation, EqualsForwardSumsOnGeneralKernels) {
  int compared = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const DecisionProcess process = random_process(seed, 12, seed % 2 == 0 ? 1.0 : 0.8);
    const ActionTable policy = random_policy(seed, 12);
    if (!always_stops(process, policy)) continue;
    const auto value = evaluate_policy(process, policy);
    for (std::int64_t start : {0, 5, 11}) {
      EXPECT_NEAR(value[start], value_by_horizon(process, policy, start, 6000), 1e-9) << seed;
    }
    ++compared;
  }
  EXPECT_GT(compared, 40);
}

// A process of 5 states whose reason leads where `targets` say.
DecisionProcess chain(const std::vector<std::int64_t>& targets, const std::vector<double>& rewards,
                      double gamma) {
  DecisionProcess process;
  process.gamma = gamma;
  process.terminal_reward.assign(targets.size(), 0.5);
  process.reason.reward = rewards;
  for (std::int64_t target : targets) process.reason.kernel.rows.push_back({{target, 1.0}});
  process.retrieve = process.reason;
  return process;
}

TEST(PolicyEvaluation, PoliciesThatNeverStop) {
  // 0 -> 1 -> 2 -> 2: free in the end, after 0.1 + 0.2. 3 <-> 4 pays forever.
  const DecisionProcess process = chain({1, 2, 2, 4, 3}, {-0.1, -0.2, 0, 0, -0.1}, 1.0);
  process.validate();
  const ActionTable reason(5, Action::kReason);
  EXPECT_FALSE(always_stops(process, reason));
  const auto value = evaluate_policy(process, reason);
  EXPECT_NEAR(value[0], -0.3, 1e-15);
  EXPECT_NEAR(value[1], -0.2, 1e-15);
  EXPECT_EQ(value[2], 0.0);
  EXPECT_EQ(value[3], -kInfinity);
  EXPECT_EQ(value[4], -kInfinity);

  // A chance to get into the loop that pays is enough.
  DecisionProcess risky = process;
  risky.reason.kernel.rows[0] = {{2, 0.999}, {3, 0.001}};
  EXPECT_EQ(evaluate_policy(risky, reason)[0], -kInfinity);
  // With a discount the same loop has a finite price: 0.1 every other step from the second on.
  risky.gamma = 0.9;
  EXPECT_NEAR(evaluate_policy(risky, reason)[3], -0.1 * 0.9 / (1 - 0.81), 1e-12);
}

TEST(DecisionProcess, SolutionIsTheBestOfAllPolicies) {
  for (std::uint64_t seed = 0; seed < 25; ++seed) {
    const std::int64_t n = 5;
    const DecisionProcess process = random_process(seed, n, seed % 3 == 0 ? 0.9 : 1.0);
    const Solution solution = solve(process);
    std::vector<double> best(n, -kInfinity);
    for (int code = 0; code < 243; ++code) {
      ActionTable policy;
      for (int rest = code, i = 0; i < n; ++i, rest /= 3) policy.push_back(kActions[rest % 3]);
      const auto value = evaluate_policy(process, policy);
      for (std::int64_t state = 0; state < n; ++state) best[state] = std::max(best[state], value[state]);
    }
    const auto of_policy = evaluate_policy(process, solution.policy);
    for (std::int64_t state = 0; state < n; ++state) {
      EXPECT_NEAR(solution.value[state], best[state], 1e-12) << seed;
      EXPECT_NEAR(of_policy[state], best[state], 1e-8) << seed;
    }
  }
}

TEST(DecisionProcess, ToleranceChangesNothingButTheSweeps) {
  const DecisionProcess process = random_process(4, 40, 1.0);
  const Solution coarse = solve(process, 0.5);
  const Solution fine = solve(process, 1e-12);
  EXPECT_LT(coarse.iterations, fine.iterations);
  for (std::int64_t state = 0; state < 40; ++state)
    EXPECT_NEAR(coarse.value[state], fine.value[state], 1e-12);
  EXPECT_EQ(coarse.policy, fine.policy);
}

TEST(DecisionProcess, ThresholdSummaryOfAPolicyThatNeverStops) {
  // From state 0, reason loops for nothing and retrieve goes to the good end: all is worth 1, reason ties,
  // and the policy that the tie rule shows is not the one that earns it.
  DecisionProcess process = chain({0, 1, 2}, {0, 0, 0}, 1.0);
  process.terminal_reward = {0, 0.2, 1};
  process.retrieve.kernel.rows = {{{2, 1.0}}, {{2, 1.0}}, {{2, 1.0}}};
  const Solution solution = solve(process);
  EXPECT_NEAR(solution.value[0], 1.0, 1e-12);
  EXPECT_EQ(solution.policy[0], Action::kReason);
  const ThresholdSummary summary = summarise_thresholds(process, solution);
  EXPECT_EQ(summary.theta_star, 1.0);
  EXPECT_EQ(summary.theta_continue, 1.0);
  EXPECT_NEAR(summary.regret, 0.0, 1e-12);
}

TEST(DecisionProcess, AFreeLoopEarnsNothing) {
  // If stopping has a price, reasoning in state 0 forever would be worth 0. It does not count: the value
  // is that of the best policy that stops, retrieve and then terminate. The look-ahead of the loop ties with
  // it.
  DecisionProcess process = chain({0, 1}, {0, 0}, 1.0);
  process.terminal_reward = {-0.5, -0.2};
  process.retrieve.kernel.rows = {{{1, 1.0}}, {{1, 1.0}}};
  const Solution solution = solve(process);
  EXPECT_NEAR(solution.value[0], -0.2, 1e-12);
  EXPECT_NEAR(solution.value[1], -0.2, 1e-12);
  EXPECT_NEAR(evaluate_policy(process, {Action::kReason, Action::kTerminate})[0], 0.0, 1e-12);
}

TEST(DecisionProcess, NearestState) {
  EXPECT_EQ(nearest_state(0.0, 11), 0);
  EXPECT_EQ(nearest_state(1.0, 11), 10);
  EXPECT_EQ(nearest_state(0.15, 11), 1);
  EXPECT_EQ(nearest_state(0.1500001, 11), 2);
  EXPECT_EQ(nearest_state(0.05, 11), 0);
  EXPECT_EQ(nearest_state(0.949, 11), 9);
  EXPECT_EQ(nearest_state(0.951, 11), 10);
  EXPECT_EQ(nearest_state(7.0, 11), 10);
}

TEST(DecisionProcess, RefusesWhatIsNoProcess) {
  const DecisionProcess good = random_process(1, 4, 0.9);
  good.validate();
  DecisionProcess bad = good;
  bad.gamma = 0;
  EXPECT_THROW(bad.validate(), InputError);
  bad = good;
  bad.reason.reward[2] = 0.1;
  EXPECT_THROW(solve(bad), InputError);
  bad = good;
  bad.retrieve.kernel.rows[1][0].probability += 1e-6;
  EXPECT_THROW(bad.validate(), InputError);
  bad = good;
  bad.retrieve.kernel.rows[1][0].state = 4;
  EXPECT_THROW(bad.validate(), InputError);
  bad = good;
  bad.reason.kernel.rows.pop_back();
  EXPECT_THROW(bad.validate(), InputError);
  bad = good;
  bad.terminal_reward[0] = kInfinity;
  EXPECT_THROW(bad.validate(), InputError);
  EXPECT_THROW(solve(good, 0), InputError);
  EXPECT_THROW(action_of("think"), InputError);
}

}  // namespace
}  // namespace relmpi
