#include "eval/decisions/policy_evaluation.h"

#include <cmath>
#include <limits>

#include "base/error.h"

namespace relmpi {
namespace {

using Flags = std::vector<char>;

// Calls visit(next state) for each transition of positive probability out of `state`.
template <typename Visit>
void for_each_successor(const DecisionProcess& process, const ActionTable& policy, std::int64_t state,
                        Visit visit) {
  if (policy[state] == Action::kTerminate) return;
  for (const Transition& transition : process.step(policy[state]).kernel.rows[state]) {
    if (transition.probability > 0) visit(transition.state);
  }
}

// The states from which a flagged state can be reached (the flagged states too).
Flags can_reach(const DecisionProcess& process, const ActionTable& policy, const Flags& goal) {
  const std::int64_t n = process.states();
  std::vector<std::vector<std::int64_t>> predecessors(n);
  for (std::int64_t state = 0; state < n; ++state) {
    for_each_successor(process, policy, state,
                       [&](std::int64_t next) { predecessors[next].push_back(state); });
  }
  Flags reaches = goal;
  std::vector<std::int64_t> open;
  for (std::int64_t state = 0; state < n; ++state) {
    if (goal[state]) open.push_back(state);
  }
  while (!open.empty()) {
    const std::int64_t state = open.back();
    open.pop_back();
    for (std::int64_t before : predecessors[state]) {
      if (reaches[before]) continue;
      reaches[before] = 1;
      open.push_back(before);
    }
  }
  return reaches;
}

// States whose value is known without an equation.
struct KnownStates {
  Flags known;
  std::vector<double> value;
};

KnownStates known_states(const DecisionProcess& process, const ActionTable& policy) {
  const std::int64_t n = process.states();
  KnownStates result{Flags(n, 0), std::vector<double>(n, 0.0)};
  Flags stops(n, 0);
  Flags ends(n, 0);  // stops, or costs something
  for (std::int64_t state = 0; state < n; ++state) {
    stops[state] = policy[state] == Action::kTerminate;
    if (stops[state]) {
      result.known[state] = 1;
      result.value[state] = process.terminal_reward[state];
    }
    ends[state] = stops[state] || process.step(policy[state]).reward[state] < 0;
  }
  if (process.gamma < 1.0) return result;

  // gamma = 1. A state from which nothing but free steps can follow is worth 0.
  const Flags pays_or_stops = can_reach(process, policy, ends);
  Flags settled = stops;
  for (std::int64_t state = 0; state < n; ++state) {
    if (pays_or_stops[state]) continue;
    settled[state] = 1;
    result.known[state] = 1;
    result.value[state] = 0.0;
  }
  // One that can neither stop nor come to such a state pays again and again.
  Flags doomed = can_reach(process, policy, settled);
  for (char& flag : doomed) flag = !flag;
  const Flags may_be_doomed = can_reach(process, policy, doomed);
  for (std::int64_t state = 0; state < n; ++state) {
    if (!may_be_doomed[state]) continue;
    result.known[state] = 1;
    result.value[state] = -std::numeric_limits<double>::infinity();
  }
  return result;
}

bool only_upward(const DecisionProcess& process, const ActionTable& policy) {
  bool upward = true;
  for (std::int64_t state = 0; state < process.states(); ++state) {
    for_each_successor(process, policy, state, [&](std::int64_t next) { upward = upward && next >= state; });
  }
  return upward;
}

void back_substitute(const DecisionProcess& process, const ActionTable& policy, KnownStates& states) {
  for (std::int64_t state = process.states() - 1; state >= 0; --state) {
    if (states.known[state]) continue;
    const StepModel& step = process.step(policy[state]);
    double others = 0;
    double leaves =
        1.0 - process.gamma;  // 1 - gamma P(stay), summed so that a small chance to leave keeps its digits
    for (const Transition& transition : step.kernel.rows[state]) {
      if (transition.state == state) continue;
      leaves += process.gamma * transition.probability;
      if (transition.probability > 0) others += transition.probability * states.value[transition.state];
    }
    states.value[state] = (step.reward[state] + process.gamma * others) / leaves;
  }
}

// Gauss elimination of the unknown states, from the last to the first. I - gamma P is a diagonally dominant
// M-matrix, so no pivoting is needed; each pivot is formed without subtraction from what leaves the state,
// which keeps its digits (Grassmann, Taksar, Heyman 1985).
void eliminate(const DecisionProcess& process, const ActionTable& policy, KnownStates& states) {
  const std::int64_t n = process.states();
  std::vector<std::int64_t> unknown;
  std::vector<std::int64_t> index_of(n, -1);
  for (std::int64_t state = 0; state < n; ++state) {
    if (states.known[state]) continue;
    index_of[state] = static_cast<std::int64_t>(unknown.size());
    unknown.push_back(state);
  }
  const auto m = static_cast<std::int64_t>(unknown.size());
  std::vector<std::vector<double>> weight(m, std::vector<double>(m, 0.0));  // gamma P among the unknown
  std::vector<double> leak(m, 1.0 - process.gamma);  // what leaves the unknown, discount included
  std::vector<double> constant(m);
  for (std::int64_t i = 0; i < m; ++i) {
    const StepModel& step = process.step(policy[unknown[i]]);
    constant[i] = step.reward[unknown[i]];
    for (const Transition& transition : step.kernel.rows[unknown[i]]) {
      const double mass = process.gamma * transition.probability;
      if (mass <= 0) continue;
      const std::int64_t j = index_of[transition.state];
      if (j >= 0) {
        weight[i][j] += mass;
      } else {
        leak[i] += mass;
        constant[i] += mass * states.value[transition.state];
      }
    }
  }
  std::vector<double> pivot(m);
  for (std::int64_t k = m - 1; k >= 0; --k) {
    pivot[k] = leak[k];
    for (std::int64_t j = 0; j < k; ++j) pivot[k] += weight[k][j];
    for (std::int64_t i = 0; i < k; ++i) {
      if (weight[i][k] == 0.0) continue;
      const double factor = weight[i][k] / pivot[k];
      for (std::int64_t j = 0; j < k; ++j) weight[i][j] += factor * weight[k][j];
      leak[i] += factor * leak[k];
      constant[i] += factor * constant[k];
    }
  }
  for (std::int64_t k = 0; k < m; ++k) {
    double sum = constant[k];
    for (std::int64_t j = 0; j < k; ++j) sum += weight[k][j] * states.value[unknown[j]];
    states.value[unknown[k]] = sum / pivot[k];
  }
}

}  // namespace

std::vector<double> evaluate_policy(const DecisionProcess& process, const ActionTable& policy) {
  RELMPI_CHECK(static_cast<std::int64_t>(policy.size()) == process.states(), "{} actions for {} states",
               policy.size(), process.states());
  KnownStates states = known_states(process, policy);
  if (only_upward(process, policy)) {
    back_substitute(process, policy, states);
  } else {
    eliminate(process, policy, states);
  }
  return states.value;
}

bool always_stops(const DecisionProcess& process, const ActionTable& policy) {
  Flags stops(process.states(), 0);
  for (std::int64_t state = 0; state < process.states(); ++state)
    stops[state] = policy[state] == Action::kTerminate;
  for (char reaches : can_reach(process, policy, stops)) {
    if (!reaches) return false;
  }
  return true;
}

}  // namespace relmpi
