#include "eval/decisions/decision_process.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "eval/decisions/policy_evaluation.h"

namespace relmpi {
namespace {

constexpr double kRowTolerance = 1e-9;
constexpr std::int64_t kMostUpdates =
    300000000;  // of values; policy iteration is exact from wherever this ends
constexpr std::int64_t kMostImprovements =
    100000;                             // each one raises a value; far above what any process needs
constexpr double kImprovement = 1e-13;  // relative; below it a difference of Q values is rounding

void validate_step(const StepModel& step, std::int64_t states, Action action) {
  const std::string_view name = name_of(action);
  if (static_cast<std::int64_t>(step.kernel.rows.size()) != states ||
      static_cast<std::int64_t>(step.reward.size()) != states) {
    throw InputError("decision process: {} has {} rows and {} rewards for {} states", name,
                     step.kernel.rows.size(), step.reward.size(), states);
  }
  for (std::int64_t state = 0; state < states; ++state) {
    if (!std::isfinite(step.reward[state]) || step.reward[state] > 0) {
      throw InputError(
          "decision process: the reward {} of {} in state {} is not a cost; give a finite number, at most 0",
          step.reward[state], name, state);
    }
    double sum = 0;
    for (const Transition& transition : step.kernel.rows[state]) {
      if (transition.state < 0 || transition.state >= states || !(transition.probability >= 0)) {
        throw InputError("decision process: {} in state {} goes to state {} with probability {}", name, state,
                         transition.state, transition.probability);
      }
      sum += transition.probability;
    }
    if (!(std::abs(sum - 1.0) <= kRowTolerance)) {
      throw InputError("decision process: the probabilities of {} in state {} sum to {} instead of 1", name,
                       state, sum);
    }
  }
}

double expectation(const std::vector<Transition>& row, const std::vector<double>& value) {
  double sum = 0;
  for (const Transition& transition : row) {
    if (transition.probability > 0) sum += transition.probability * value[transition.state];
  }
  return sum;
}

double look_ahead(const DecisionProcess& process, Action action, std::int64_t state,
                  const std::vector<double>& value) {
  if (action == Action::kTerminate) return process.terminal_reward[state];
  const StepModel& step = process.step(action);
  return step.reward[state] + process.gamma * expectation(step.kernel.rows[state], value);
}

// Sweeps from the terminal rewards until no value moves by `tolerance`; returns the number of sweeps. The
// values rise monotonically, so the limit is the least fixed point above where they started.
std::int64_t iterate_values(const DecisionProcess& process, double tolerance, std::vector<double>& value) {
  const std::int64_t most_sweeps = std::max<std::int64_t>(kMostUpdates / process.states(), 1);
  std::vector<double> next(value.size());
  for (std::int64_t sweep = 1; sweep <= most_sweeps; ++sweep) {
    double moved = 0;
    for (std::int64_t state = 0; state < process.states(); ++state) {
      double best = process.terminal_reward[state];
      best = std::max(best, look_ahead(process, Action::kReason, state, value));
      best = std::max(best, look_ahead(process, Action::kRetrieve, state, value));
      next[state] = best;
      moved = std::max(moved, std::abs(best - value[state]));
    }
    value.swap(next);
    if (moved < tolerance) return sweep;
  }
  return most_sweeps;
}

Action greedy(const std::array<std::vector<double>, 3>& q, std::int64_t state) {
  double best = q[0][state];
  for (const auto& values : q) best = std::max(best, values[state]);
  for (Action action : kActions) {
    if (q[static_cast<std::size_t>(action)][state] >= best - kTie) return action;
  }
  return Action::kTerminate;
}

// Policy iteration. It starts at a policy that stops with probability 1 and changes an action only if that
// gains, and so never leaves those policies, although gamma may be 1: on a set of states that a policy never
// leaves, the step rewards, none above 0, leave no gain on average.
std::vector<double> iterate_policies(const DecisionProcess& process, const std::vector<double>& approximate) {
  ActionTable policy(process.states(), Action::kTerminate);
  const auto first_q = q_values(process, approximate);
  for (std::int64_t state = 0; state < process.states(); ++state) policy[state] = greedy(first_q, state);
  if (!always_stops(process, policy)) std::fill(policy.begin(), policy.end(), Action::kTerminate);

  for (std::int64_t round = 0; round < kMostImprovements; ++round) {
    std::vector<double> value = evaluate_policy(process, policy);
    bool improved = false;
    for (std::int64_t state = 0; state < process.states(); ++state) {
      double best = value[state] + kImprovement * std::max(1.0, std::abs(value[state]));
      for (Action action : kActions) {
        const double q = look_ahead(process, action, state, value);
        if (q <= best) continue;
        best = q;
        policy[state] = action;
        improved = true;
      }
    }
    if (!improved) return value;
  }
  throw RuntimeError("policy iteration did not settle after {} rounds on {} states", kMostImprovements,
                     process.states());
}

// The policy of two thresholds on a grid of n states.
ActionTable threshold_policy(double theta_continue, double theta_star, std::int64_t states) {
  ActionTable policy(states);
  for (std::int64_t state = 0; state < states; ++state) {
    const double u = static_cast<double>(state) / static_cast<double>(states - 1);
    policy[state] = u >= theta_star       ? Action::kTerminate
                    : u >= theta_continue ? Action::kReason
                                          : Action::kRetrieve;
  }
  return policy;
}

}  // namespace

std::string_view name_of(Action action) {
  switch (action) {
    case Action::kTerminate:
      return "terminate";
    case Action::kReason:
      return "reason";
    case Action::kRetrieve:
      return "retrieve";
  }
  RELMPI_CHECK(false, "no such action");
}

Action action_of(std::string_view name) {
  for (Action action : kActions) {
    if (name_of(action) == name) return action;
  }
  throw InputError("'{}' is not an action; the actions are terminate, reason and retrieve", name);
}

void DecisionProcess::validate() const {
  if (states() < 2) throw InputError("decision process: {} states; at least 2 are needed", states());
  if (!(gamma > 0 && gamma <= 1)) throw InputError("decision process: gamma {} is outside (0, 1]", gamma);
  for (std::int64_t state = 0; state < states(); ++state) {
    if (!std::isfinite(terminal_reward[state])) {
      throw InputError("decision process: the terminal reward of state {} is {}", state,
                       terminal_reward[state]);
    }
  }
  validate_step(reason, states(), Action::kReason);
  validate_step(retrieve, states(), Action::kRetrieve);
}

std::array<std::vector<double>, 3> q_values(const DecisionProcess& process,
                                            const std::vector<double>& value) {
  std::array<std::vector<double>, 3> q;
  for (Action action : kActions) {
    auto& values = q[static_cast<std::size_t>(action)];
    values.resize(value.size());
    for (std::int64_t state = 0; state < process.states(); ++state) {
      values[state] = look_ahead(process, action, state, value);
    }
  }
  return q;
}

Solution solve(const DecisionProcess& process, double tolerance) {
  process.validate();
  if (!(tolerance > 0)) throw InputError("the tolerance {} must be above 0", tolerance);
  Solution solution;
  solution.value = process.terminal_reward;
  solution.iterations = iterate_values(process, tolerance, solution.value);
  solution.value = iterate_policies(process, solution.value);
  solution.q = q_values(process, solution.value);
  solution.policy.resize(process.states());
  for (std::int64_t state = 0; state < process.states(); ++state) {
    solution.policy[state] = greedy(solution.q, state);
  }
  return solution;
}

std::int64_t nearest_state(double u, std::int64_t states) {
  RELMPI_CHECK(!std::isnan(u), "the progress U is not a number");
  // A distance of half a cell, except for rounding, is a tie.
  const double position = std::clamp(u, 0.0, 1.0) * static_cast<double>(states - 1);
  return std::min(states - 1, static_cast<std::int64_t>(std::ceil(position - 0.5 - kTie)));
}

ThresholdSummary summarise_thresholds(const DecisionProcess& process, const Solution& solution) {
  const std::int64_t n = process.states();
  const auto u_of = [n](std::int64_t state) {
    return static_cast<double>(state) / static_cast<double>(n - 1);
  };
  const auto& [terminate, reason, retrieve] = solution.q;

  std::int64_t star = 0;
  while (star < n && terminate[star] < std::max(reason[star], retrieve[star]) - kTie) ++star;
  std::int64_t onward = 0;
  while (onward < star && !(retrieve[onward] < reason[onward] - kTie)) ++onward;

  ThresholdSummary summary;
  // If no state stops, theta* is 1 by definition, and so the last state stops in the two-threshold policy.
  summary.theta_star = star < n ? u_of(star) : 1.0;
  summary.theta_continue = onward < star ? u_of(onward) : summary.theta_star;
  summary.bands = 1;
  for (std::int64_t state = 1; state < n; ++state) {
    summary.bands += solution.policy[state] != solution.policy[state - 1];
  }

  const ActionTable policy = threshold_policy(summary.theta_continue, summary.theta_star, n);
  const std::vector<double> value = evaluate_policy(process, policy);
  summary.threshold_policy_value = value[0];
  summary.regret = solution.value[0] - value[0];
  // In the order of Action, retrieve comes last and terminate first.
  summary.threshold_form = std::is_sorted(solution.policy.rbegin(), solution.policy.rend());
  return summary;
}

}  // namespace relmpi
