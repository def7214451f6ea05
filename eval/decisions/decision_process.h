#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace relmpi {

// A stopping problem on a grid: at each of n states u_j = j / (n - 1) of the progress U, stop and take the
// state's terminal reward, or take a step (reason, retrieve) that costs something and moves to other states.

// In the order in which ties are broken.
enum class Action : std::uint8_t { kTerminate = 0, kReason = 1, kRetrieve = 2 };
constexpr std::array<Action, 3> kActions = {Action::kTerminate, Action::kReason, Action::kRetrieve};

// "terminate", "reason", "retrieve".
std::string_view name_of(Action action);
// Throws InputError if the name is none of the three.
Action action_of(std::string_view name);

// Q values closer than this are ties.
constexpr double kTie = 1e-9;

struct Transition {
  std::int64_t state = 0;
  double probability = 0;
};

// The transitions of one action: row j is the distribution of the next state after state j.
struct Kernel {
  std::vector<std::vector<Transition>> rows;
};

struct StepModel {
  Kernel kernel;
  std::vector<double> reward;  // of taking the step in each state: minus its cost, so never above 0
};

struct DecisionProcess {
  std::vector<double> terminal_reward;  // one per state
  StepModel reason;
  StepModel retrieve;
  double gamma = 1.0;  // discount of what follows a step, in (0, 1]

  std::int64_t states() const { return static_cast<std::int64_t>(terminal_reward.size()); }
  const StepModel& step(Action action) const { return action == Action::kReason ? reason : retrieve; }

  // Throws InputError: fewer than 2 states, vectors of other lengths, rows that are not distributions
  // (tolerance 1e-9), step rewards above 0, numbers that are not finite, gamma outside (0, 1].
  void validate() const;
};

using ActionTable = std::vector<Action>;  // one action per state

struct Solution {
  std::vector<double> value;             // the optimal value of each state
  std::array<std::vector<double>, 3> q;  // by Action
  ActionTable policy;                    // greedy for q, ties by the order of Action
  std::int64_t iterations = 0;           // sweeps of value iteration
};

// Value iteration from the terminal rewards until no value moves by `tolerance` (max norm), then policy
// iteration with exact evaluations (Puterman 1994, sections 6.3 and 6.4) to the exact fixed point: value
// iteration alone stops too early if a step rarely succeeds. With gamma = 1 this is the least fixed point
// that is not below the terminal rewards, the value of the best policy that stops with probability 1.
Solution solve(const DecisionProcess& process, double tolerance = 1e-6);

// One step of look-ahead from `value`, per action.
std::array<std::vector<double>, 3> q_values(const DecisionProcess& process, const std::vector<double>& value);

// The state on a grid of n states that is nearest to u (u in [0, 1]; ties to the lower one).
std::int64_t nearest_state(double u, std::int64_t states);

// What two thresholds say of a solution: retrieve below theta_continue, reason from there to below
// theta_star, terminate at and above it.
struct ThresholdSummary {
  double theta_continue = 0;
  double theta_star = 0;
  std::int64_t bands = 0;       // maximal runs of one action in the optimal policy, the terminate band too
  bool threshold_form = false;  // the optimal policy reads retrieve..., reason..., terminate... from U = 0 up
  double threshold_policy_value = 0;  // of state 0, exact; -infinity if it pays forever without stopping
  double regret = 0;                  // optimal value of state 0 minus threshold_policy_value
};

// With gamma = 1 and away from U = 1, a retrieve and then a reason is worth exactly a reason and then a
// retrieve, so ties are the rule if a policy uses both: it may have many bands, and two thresholds may
// still lose nothing.
//
// theta_star: the first state's u with Q_terminate >= both other Q, else 1. theta_continue: 0 if
// Q_reason(0) > Q_retrieve(0); else the first u below theta_star with Q_retrieve < Q_reason; else theta_star.
// Values closer than kTie are equal.
ThresholdSummary summarise_thresholds(const DecisionProcess& process, const Solution& solution);

}  // namespace relmpi
