#include "eval/decisions/policies.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>

#include "base/error.h"
#include "base/random.h"

namespace relmpi {
namespace {

using Kind = PolicySpec::Kind;

// The next action of a policy that goes step by step.
class Chooser {
 public:
  Chooser(const PolicySpec& policy, const ProgressModel& progress, const PolicyRun& run, std::int64_t item)
      : policy_(policy), progress_(progress), random_(run.seed, "random policy", item) {
    const double whole = std::floor(policy.mean_steps);
    planned_ = static_cast<int>(whole) + (random_.uniform() < policy.mean_steps - whole ? 1 : 0);
  }

  Action next(const State& state) {
    const int steps = state.depth;
    switch (policy_.kind) {
      case Kind::kMdp:
        return progress_.best_action(state);
      case Kind::kFixed:
        return steps < policy_.k    ? Action::kRetrieve
               : steps == policy_.k ? Action::kReason
                                    : Action::kTerminate;
      case Kind::kAlwaysRetrieve:
        return Action::kRetrieve;
      case Kind::kAlwaysReason:
        return Action::kReason;
      case Kind::kThreshold:
        return progress_.u(state) >= policy_.threshold || state.settled[1] ? Action::kTerminate
                                                                           : Action::kRetrieve;
      case Kind::kRandom:
        if (steps >= planned_) return Action::kTerminate;
        return random_.uniform() < policy_.retrieve_share ? Action::kRetrieve : Action::kReason;
      case Kind::kOracle:
        break;
    }
    RELMPI_CHECK(false, "the oracle does not choose step by step");
  }

 private:
  const PolicySpec& policy_;
  const ProgressModel& progress_;
  Random random_;
  int planned_ = 0;
};

void take(Trajectory& t, const CorrectionStates& states, const ProgressModel& progress, std::int64_t from,
          std::int64_t to) {
  const State &before = states.state(from), &after = states.state(to);
  t.row.history.push_back({after.action, progress.u(before), progress.u(after), after.cost_tokens});
  ++t.row.iterations;
  (after.action == Action::kRetrieve ? t.row.retrievals : t.row.reasons) += 1;
  t.row.cost_tokens += after.cost_tokens;
  t.row.cost_ms += after.cost_ms;
  t.row.correct = after.correct;
  t.final_state = to;
}

std::vector<Trajectory> start(const PolicySpec& policy, const CorrectionStates& states,
                              const std::vector<std::int64_t>& item_numbers) {
  std::vector<Trajectory> all(static_cast<std::size_t>(states.items()));
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].row.policy = policy.name;
    all[i].row.item = item_numbers[i];
    all[i].final_state = states.root(static_cast<std::int64_t>(i));
    all[i].row.correct = states.state(all[i].final_state).correct;
  }
  return all;
}

// For each item the cheapest sequence of at most `depth` passes that ends right; no pass where none does.
std::vector<Trajectory> run_oracle(const PolicySpec& policy, CorrectionStates& states,
                                   const ProgressModel& progress,
                                   const std::vector<std::int64_t>& item_numbers, int depth) {
  std::vector<Trajectory> all = start(policy, states, item_numbers);
  std::vector<Trajectory> level = all;
  for (int d = 0; d < depth; ++d) {
    std::vector<Trajectory> next;
    for (const Action action : {Action::kReason, Action::kRetrieve}) {
      std::vector<std::int64_t> ids;
      for (const Trajectory& t : level) ids.push_back(t.final_state);
      const auto after = states.step(ids, action);
      for (std::size_t i = 0; i < level.size(); ++i) {
        Trajectory t = level[i];
        take(t, states, progress, ids[i], after[i]);
        Trajectory& best = all[static_cast<std::size_t>(states.state(t.final_state).item)];
        const bool better = t.row.correct && (!best.row.correct || t.row.cost_tokens < best.row.cost_tokens);
        if (better) best = t;
        next.push_back(std::move(t));
      }
    }
    level = std::move(next);
  }
  return all;
}

}  // namespace

std::vector<PolicySpec> parse_policies(const std::vector<std::string>& names, int max_k) {
  std::vector<PolicySpec> policies;
  const auto fixed = [&](int k) {
    policies.push_back({.name = "fixed-" + std::to_string(k), .kind = Kind::kFixed, .k = k});
  };
  for (const std::string& name : names) {
    const auto simple = [&](const char* known, Kind kind) {
      if (name == known) policies.push_back({.name = name, .kind = kind});
      return name == known;
    };
    if (simple("mdp", Kind::kMdp) || simple("always-retrieve", Kind::kAlwaysRetrieve) ||
        simple("always-reason", Kind::kAlwaysReason) || simple("random", Kind::kRandom) ||
        simple("threshold", Kind::kThreshold) || simple("oracle", Kind::kOracle))
      continue;
    if (name == "fixed-k") {
      for (int k = 0; k <= max_k; ++k) fixed(k);
      continue;
    }
    const std::string digits = name.starts_with("fixed-") ? name.substr(6) : "";
    if (digits.empty() || digits.size() > 2 || digits.find_first_not_of("0123456789") != std::string::npos)
      throw InputError(
          "--policies: '{}' is unknown; choose among mdp, fixed-k, fixed-0 .. fixed-{}, always-retrieve, "
          "always-reason, random, threshold, oracle",
          name, max_k);
    fixed(std::stoi(digits));
  }
  for (std::size_t i = 0; i < policies.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (policies[i].name == policies[j].name)
        throw InputError("--policies names {} twice", policies[i].name);
  if (policies.empty()) throw InputError("--policies is empty");
  return policies;
}

std::vector<Trajectory> run_policy(const PolicySpec& policy, CorrectionStates& states,
                                   const ProgressModel& progress,
                                   const std::vector<std::int64_t>& item_numbers, const PolicyRun& run) {
  if (policy.kind == Kind::kOracle)
    return run_oracle(policy, states, progress, item_numbers, run.oracle_depth);
  std::vector<Trajectory> all = start(policy, states, item_numbers);
  std::vector<Chooser> choosers;
  for (const std::int64_t item : item_numbers) choosers.emplace_back(policy, progress, run, item);
  std::vector<std::size_t> active(all.size());
  std::iota(active.begin(), active.end(), 0);
  for (int steps = 0; steps < run.max_steps && !active.empty(); ++steps) {
    std::vector<std::size_t> chosen[2], still;
    for (const std::size_t i : active) {
      const Action action = choosers[i].next(states.state(all[i].final_state));
      if (action == Action::kTerminate) continue;
      chosen[action == Action::kReason ? 0 : 1].push_back(i);
      still.push_back(i);
    }
    for (const Action action : {Action::kReason, Action::kRetrieve}) {
      const auto& list = chosen[action == Action::kReason ? 0 : 1];
      std::vector<std::int64_t> ids;
      for (const std::size_t i : list) ids.push_back(all[i].final_state);
      const auto after = states.step(ids, action);
      for (std::size_t n = 0; n < list.size(); ++n) take(all[list[n]], states, progress, ids[n], after[n]);
    }
    active = std::move(still);
  }
  return all;
}

namespace {

// Counts over all items of the calibration split.
struct Totals {
  std::int64_t items = 0, right = 0, steps = 0, retrievals = 0;

  double reward(double mu) const {
    return (static_cast<double>(right) - mu * static_cast<double>(steps)) / static_cast<double>(items);
  }
};

Totals total_of(const PolicySpec& policy, std::vector<CorrectionStates>& groups,
                const ProgressModel& progress, const PolicyRun& run, Communicator& communicator) {
  std::int64_t sums[4] = {};
  for (CorrectionStates& group : groups) {
    std::vector<std::int64_t> numbers(static_cast<std::size_t>(group.items()));
    std::iota(numbers.begin(), numbers.end(), 0);
    for (const Trajectory& t : run_policy(policy, group, progress, numbers, run)) {
      sums[0] += 1;
      sums[1] += t.row.correct;
      sums[2] += t.row.iterations;
      sums[3] += t.row.retrievals;
    }
  }
  communicator.all_reduce_host(sums, 4, ReduceType::kInt64);
  return {.items = sums[0], .right = sums[1], .steps = sums[2], .retrievals = sums[3]};
}

}  // namespace

void fit_policies(std::vector<PolicySpec>& policies, std::vector<CorrectionStates>& groups,
                  const ProgressModel& progress, const PolicyRun& run, double mu,
                  Communicator& communicator) {
  for (PolicySpec& policy : policies) {
    if (policy.kind == Kind::kRandom) {
      const Totals mdp = total_of({.name = "mdp", .kind = Kind::kMdp}, groups, progress, run, communicator);
      policy.mean_steps = static_cast<double>(mdp.steps) / static_cast<double>(mdp.items);
      if (mdp.steps > 0)
        policy.retrieve_share = static_cast<double>(mdp.retrievals) / static_cast<double>(mdp.steps);
    }
    if (policy.kind != Kind::kThreshold) continue;
    double best = -1e300;
    for (int twentieth = 0; twentieth <= 20; ++twentieth) {
      PolicySpec tried = policy;
      tried.threshold = 0.05 * twentieth;
      const double reward = total_of(tried, groups, progress, run, communicator).reward(mu);
      if (reward <= best) continue;
      best = reward;
      policy.threshold = tried.threshold;
    }
  }
}

}  // namespace relmpi
