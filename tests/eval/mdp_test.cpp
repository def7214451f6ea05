#include "eval/decisions/mdp.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "base/error.h"
#include "tests/eval/golden.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

double decimal(const nlohmann::json& options, const char* name) {
  return std::stod(options.at(name).get<std::string>());
}

MdpOptions options_of(const nlohmann::json& json) {
  MdpOptions options;
  options.delta_retrieve = decimal(json, "delta_retrieve");
  options.delta_reason = decimal(json, "delta_reason");
  options.success = decimal(json, "success");
  options.cost_retrieve = decimal(json, "cost_retrieve");
  options.cost_reason = decimal(json, "cost_reason");
  options.mu = decimal(json, "mu");
  options.gamma = decimal(json, "gamma");
  options.reward_k = decimal(json, "reward_k");
  options.grid = json.at("grid").get<std::int64_t>();
  options.reward = reward_of(json.at("reward").get<std::string>());
  options.projection = projection_of(json.at("projection").get<std::string>());
  return options;
}

ActionTable policy_of(const nlohmann::json& runs) {
  ActionTable policy;
  for (const auto& run : runs) {
    policy.insert(policy.end(), run[1].get<std::size_t>(), action_of(run[0].get<std::string>()));
  }
  return policy;
}

TEST(Mdp, EqualsTheDecimalReference) {
  const auto cases = read_golden("mdp_golden.json");
  ASSERT_GE(cases.size(), 60u);
  for (const auto& json : cases) {
    SCOPED_TRACE(json["options"].dump());
    const MdpReport report = solve_mdp(options_of(json["options"]));
    const auto& expected = json["expected"];
    EXPECT_NEAR(report.solution.value[0], expected["value_at_0"].get<double>(), 1e-11);
    EXPECT_NEAR(report.thresholds.theta_continue, expected["theta_continue"].get<double>(), 1e-15);
    EXPECT_NEAR(report.thresholds.theta_star, expected["theta_star"].get<double>(), 1e-15);
    EXPECT_EQ(report.thresholds.bands, expected["bands"].get<std::int64_t>());
    EXPECT_EQ(report.thresholds.threshold_form, expected["threshold_form"].get<bool>());
    EXPECT_NEAR(report.thresholds.threshold_policy_value, expected["threshold_policy_value"].get<double>(),
                1e-11);
    EXPECT_NEAR(report.thresholds.regret, expected["regret"].get<double>(), 1e-11);
    EXPECT_EQ(report.solution.policy, policy_of(expected["policy"]));
    ASSERT_EQ(report.fixed_k.size(), 9u);
    for (std::size_t k = 0; k < 9; ++k)
      EXPECT_NEAR(report.fixed_k[k], expected["fixed_k"][k].get<double>(), 1e-12);
    const std::size_t stride = std::max<std::size_t>(1, report.solution.value.size() / 7);
    for (std::size_t i = 0; i < expected["value"].size(); ++i) {
      EXPECT_NEAR(report.solution.value[i * stride], expected["value"][i].get<double>(), 1e-11);
    }
  }
}

// With success = 1 and no reasoning, k retrievals of 0.2 are worth min(U + 0.2 k, 1) - 0.15 k.
TEST(Mdp, CertainRetrievalWithLinearReward) {
  MdpOptions options;
  options.success = 1;
  options.delta_retrieve = 0.2;
  options.delta_reason = 0;
  options.grid = 11;
  options.mu = 1;
  options.cost_retrieve = 0.15;
  MdpReport report = solve_mdp(options);
  EXPECT_NEAR(report.solution.value[0], 1 - 5 * 0.15, 1e-12);
  EXPECT_NEAR(report.solution.value[5], 0.9 - 2 * 0.15, 1e-12);  // a third is not worth it
  EXPECT_NEAR(report.solution.value[9], 0.9, 1e-12);
  options.cost_retrieve = 0.25;
  report = solve_mdp(options);
  EXPECT_EQ(report.solution.value[0], 0.0);
  EXPECT_EQ(report.thresholds.theta_star, 0.0);
  EXPECT_EQ(report.thresholds.bands, 1);
}

// Retrieval that reaches U = 1 at once with probability p is tried until it succeeds: c / p is what that
// costs, and with a discount V = (-c + gamma p) / (1 - gamma (1 - p)).
TEST(Mdp, TriesUntilItSucceeds) {
  MdpOptions options;
  options.delta_retrieve = 1;
  options.delta_reason = 0;
  options.success = 0.05;
  options.mu = 1;
  options.cost_retrieve = 0.02;
  EXPECT_NEAR(solve_mdp(options).solution.value[0], 1 - 0.02 / 0.05, 1e-12);
  options.gamma = 0.97;
  EXPECT_NEAR(solve_mdp(options).solution.value[0], (-0.02 + 0.97 * 0.05) / (1 - 0.97 * 0.95), 1e-12);
  // Value iteration alone would stop after its first sweep here, at a value near 0.
  options.gamma = 1;
  options.success = 1e-8;
  options.cost_retrieve = 1e-9;
  EXPECT_NEAR(solve_mdp(options).solution.value[0], 0.9, 1e-9);
}

TEST(Mdp, FreeStepsReachTheTop) {
  MdpOptions options;
  options.mu = 0;
  const MdpReport report = solve_mdp(options);
  for (double value : report.solution.value) EXPECT_NEAR(value, 1.0, 1e-12);
  EXPECT_EQ(report.solution.policy[0], Action::kReason);  // a tie with retrieve
  EXPECT_EQ(report.thresholds.theta_star, 1.0);
  EXPECT_NEAR(report.thresholds.regret, 0.0, 1e-12);
}

TEST(Mdp, StepsThatGoNowhereAreNotTaken) {
  MdpOptions options;
  options.delta_retrieve = 0;
  options.delta_reason = 0;
  for (double mu : {0.0, 0.6}) {
    options.mu = mu;
    const MdpReport report = solve_mdp(options);
    EXPECT_EQ(report.solution.value[0], 0.0);
    EXPECT_EQ(report.thresholds.bands, 1);
    EXPECT_EQ(report.solution.policy, ActionTable(100, Action::kTerminate));
  }
}

// E[min(0.08 + 0.15 X, 1)] for X ~ Binomial(2, 0.7), minus 0.6 (2 * 0.2 + 0.1).
TEST(Mdp, FixedKByHand) {
  const MdpOptions options;
  const double two = 0.09 * 0.08 + 0.42 * 0.23 + 0.49 * 0.38 - 0.3;
  EXPECT_NEAR(fixed_k_value(options, 2), two, 1e-15);
  EXPECT_NEAR(fixed_k_value(options, 0), 0.08 - 0.06, 1e-15);
  MdpOptions discounted = options;
  discounted.gamma = 0.5;
  const double one = -0.12 - 0.5 * 0.06 + 0.25 * (0.3 * 0.08 + 0.7 * 0.23);
  EXPECT_NEAR(fixed_k_value(discounted, 1), one, 1e-15);
}

TEST(Mdp, RewardsAreTheirFormulas) {
  EXPECT_DOUBLE_EQ(terminal_reward(Reward::kLinear, 5, 0.3), 0.3);
  EXPECT_DOUBLE_EQ(terminal_reward(Reward::kSqrt, 5, 0.49), 0.7);
  EXPECT_NEAR(terminal_reward(Reward::kSaturating, 3, 0.4), 1 - std::exp(-1.2), 1e-15);
  EXPECT_NEAR(terminal_reward(Reward::kSigmoid, 8, 0.75), 1 / (1 + std::exp(-2.0)), 1e-15);
  EXPECT_DOUBLE_EQ(terminal_reward(Reward::kSigmoid, 8, 0.5), 0.5);
}

TEST(Mdp, NearestProjectionGivesTiesToTheLowerPoint) {
  MdpOptions options;
  options.grid = 11;
  options.projection = Projection::kNearest;
  for (const auto& [delta, steps] :
       std::vector<std::pair<double, int>>{{0.05, 0}, {0.051, 1}, {0.15, 1}, {0.35, 3}}) {
    options.delta_reason = delta;
    const auto rows = make_process(options).reason.kernel.rows;
    for (std::int64_t state = 0; state + 4 < options.grid; ++state) {
      ASSERT_EQ(rows[state].size(), 1u);
      EXPECT_EQ(rows[state][0].state, state + steps) << delta;
    }
  }
}

// 0.29 * 100 is 28.999999999999996 in binary; the step ends on a grid point all the same.
TEST(Mdp, RoundingMakesNoStepBetweenPoints) {
  MdpOptions options;
  options.grid = 101;
  options.delta_reason = 0.29;
  for (Projection projection : {Projection::kLinear, Projection::kNearest}) {
    options.projection = projection;
    const auto rows = make_process(options).reason.kernel.rows;
    ASSERT_EQ(rows[0].size(), 1u);
    EXPECT_EQ(rows[0][0].state, 29);
    EXPECT_EQ(rows[0][0].probability, 1.0);
  }
}

TEST(Mdp, TheLargestGridSolves) {
  MdpOptions options;
  options.grid = 100000;
  const MdpReport report = solve_mdp(options);
  EXPECT_NEAR(report.solution.value[0], 0.24, 1e-4);  // 12 reasons reach 0.96, minus 12 * 0.06
}

// Each wrong value is refused with the name of its option.
TEST(Mdp, RefusesWrongValues) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  using Change = std::function<void(MdpOptions&)>;
  const std::vector<std::pair<std::string, Change>> wrong = {
      {"--delta-retrieve", [](MdpOptions& o) { o.delta_retrieve = -0.01; }},
      {"--delta-retrieve", [&](MdpOptions& o) { o.delta_retrieve = nan; }},
      {"--delta-reason", [](MdpOptions& o) { o.delta_reason = -1; }},
      {"--delta-reason", [&](MdpOptions& o) { o.delta_reason = infinity; }},
      {"--success", [](MdpOptions& o) { o.success = 1.0001; }},
      {"--success", [](MdpOptions& o) { o.success = -0.1; }},
      {"--success", [&](MdpOptions& o) { o.success = nan; }},
      {"--cost-retrieve", [](MdpOptions& o) { o.cost_retrieve = -0.2; }},
      {"--cost-reason", [&](MdpOptions& o) { o.cost_reason = nan; }},
      {"--mu", [](MdpOptions& o) { o.mu = -1; }},
      {"--mu", [](MdpOptions& o) { o.mu = 1e308, o.cost_reason = 1e10; }},
      {"--gamma", [](MdpOptions& o) { o.gamma = 0; }},
      {"--gamma", [](MdpOptions& o) { o.gamma = 1.01; }},
      {"--gamma", [&](MdpOptions& o) { o.gamma = nan; }},
      {"--grid", [](MdpOptions& o) { o.grid = 1; }},
      {"--grid", [](MdpOptions& o) { o.grid = -5; }},
      {"--reward-k", [](MdpOptions& o) { o.reward_k = 0; }},
      {"--tolerance", [](MdpOptions& o) { o.tolerance = 0; }},
  };
  for (const auto& [option, change] : wrong) {
    MdpOptions options;
    change(options);
    EXPECT_INPUT_ERROR(options.validate(), option);
  }
  EXPECT_THROW(reward_of("cubic"), InputError);
  EXPECT_THROW(projection_of(""), InputError);
}

}  // namespace
}  // namespace relmpi
