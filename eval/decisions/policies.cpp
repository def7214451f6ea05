#include "eval/decisions/policies.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>

#include "base/random.h"

namespace relmpi {
namespace {

class MdpPolicy final : public StepwisePolicy {
 public:
  explicit MdpPolicy(const ProgressModel& progress) : StepwisePolicy("mdp", progress) {}
  Action next(const EpisodeState& state, std::int64_t) const override {
    return progress().best_action(state);
  }
};

class FixedPolicy final : public StepwisePolicy {
 public:
  FixedPolicy(std::string name, const ProgressModel& progress, int k)
      : StepwisePolicy(std::move(name), progress), k_(k) {}
  Action next(const EpisodeState& state, std::int64_t) const override {
    if (state.depth > k_) return Action::kTerminate;
    return state.depth < k_ ? Action::kRetrieve : Action::kReason;
  }

 private:
  int k_;
};

class AlwaysPolicy final : public StepwisePolicy {
 public:
  AlwaysPolicy(std::string name, const ProgressModel& progress, Action action)
      : StepwisePolicy(std::move(name), progress), action_(action) {}
  Action next(const EpisodeState&, std::int64_t) const override { return action_; }

 private:
  Action action_;
};

class RandomPolicy final : public StepwisePolicy {
 public:
  RandomPolicy(const ProgressModel& progress, std::uint64_t seed)
      : StepwisePolicy("random", progress), seed_(seed) {}

  void fit(const CalibrationRuns& runs, Communicator& communicator) override {
    const auto mdp = runs.run(MdpPolicy(progress()), communicator);
    mean_steps_ = static_cast<double>(mdp.steps) / static_cast<double>(mdp.items);
    if (mdp.steps > 0) retrieve_share_ = static_cast<double>(mdp.retrievals) / static_cast<double>(mdp.steps);
  }

  Action next(const EpisodeState& state, std::int64_t item) const override {
    const double whole = std::floor(mean_steps_);
    const bool one_more = Random(seed_, "random policy: steps", item).uniform() < mean_steps_ - whole;
    if (state.depth >= static_cast<int>(whole) + one_more) return Action::kTerminate;
    const double drawn = Random(seed_, "random policy: action", item, state.depth).uniform();
    return drawn < retrieve_share_ ? Action::kRetrieve : Action::kReason;
  }

 private:
  std::uint64_t seed_;
  double mean_steps_ = 0;
  double retrieve_share_ = 0.5;
};

class ThresholdPolicy final : public StepwisePolicy {
 public:
  ThresholdPolicy(const ProgressModel& progress, double mu)
      : StepwisePolicy("threshold", progress), mu_(mu) {}

  void fit(const CalibrationRuns& runs, Communicator& communicator) override {
    double best = -std::numeric_limits<double>::infinity(), best_threshold = 0;
    for (int twentieth = 0; twentieth <= 20; ++twentieth) {
      threshold_ = 0.05 * twentieth;
      const auto totals = runs.run(*this, communicator);
      const double reward = (static_cast<double>(totals.right) - mu_ * static_cast<double>(totals.steps)) /
                            static_cast<double>(totals.items);
      if (reward <= best) continue;
      best = reward;
      best_threshold = threshold_;
    }
    threshold_ = best_threshold;
  }

  Action next(const EpisodeState& state, std::int64_t) const override {
    const bool settled = state.settled[step_index(Action::kRetrieve)];
    return settled || progress().u(state) >= threshold_ ? Action::kTerminate : Action::kRetrieve;
  }

 private:
  double mu_;
  double threshold_ = 1;
};

class OraclePolicy final : public Policy {
 public:
  OraclePolicy(const ProgressModel& progress, int depth) : Policy("oracle", progress), depth_(depth) {}

  std::vector<Trajectory> run(Episodes& episodes, std::span<const std::int64_t> items,
                              int /*most_steps*/) const override {
    std::vector<Trajectory> best = start(episodes, items);
    std::vector<Trajectory> level = best;
    for (int depth = 0; depth < depth_; ++depth) {
      std::vector<Trajectory> longer;
      for (const Action action : kSteps) {
        std::vector<Episodes::Id> from;
        from.reserve(level.size());
        for (const Trajectory& t : level) from.push_back(t.end);
        const auto reached = episodes.step(from, action);
        for (std::size_t i = 0; i < level.size(); ++i) {
          Trajectory t = level[i];
          take(t, episodes, reached[i]);
          Trajectory& known = best[static_cast<std::size_t>(episodes.state(t.end).item)];
          if (t.row.correct && (!known.row.correct || t.row.cost_tokens < known.row.cost_tokens)) known = t;
          longer.push_back(std::move(t));
        }
      }
      level = std::move(longer);
    }
    return best;
  }

 private:
  int depth_;
};

constexpr std::array<std::string_view, 6> kNames = {"mdp",    "always-retrieve", "always-reason",
                                                    "random", "threshold",       "oracle"};

std::string fixed_name(int k) { return "fixed-" + std::to_string(k); }

// K of "fixed-K"; nothing if it is another name.
std::optional<int> fixed_steps(const std::string& name) {
  const std::string digits = name.starts_with("fixed-") ? name.substr(6) : "";
  if (digits.empty() || digits.size() > 2 || digits.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return std::stoi(digits);
}

std::unique_ptr<Policy> make_policy(const std::string& name, const PolicyOptions& options,
                                    const ProgressModel& progress) {
  if (name == "mdp") return std::make_unique<MdpPolicy>(progress);
  if (name == "always-retrieve") return std::make_unique<AlwaysPolicy>(name, progress, Action::kRetrieve);
  if (name == "always-reason") return std::make_unique<AlwaysPolicy>(name, progress, Action::kReason);
  if (name == "random") return std::make_unique<RandomPolicy>(progress, options.seed);
  if (name == "threshold") return std::make_unique<ThresholdPolicy>(progress, options.mu);
  if (name == "oracle") return std::make_unique<OraclePolicy>(progress, options.oracle_depth);
  const std::optional<int> k = fixed_steps(name);
  RELMPI_CHECK(k.has_value(), "no policy is called {}", name);
  return std::make_unique<FixedPolicy>(name, progress, *k);
}

}  // namespace

std::vector<std::string> expand_policy_names(std::span<const std::string> names, int max_k) {
  std::vector<std::string> all;
  for (const std::string& name : names) {
    const std::optional<int> k = fixed_steps(name);
    if (name == "fixed-k")
      for (int each = 0; each <= max_k; ++each) all.push_back(fixed_name(each));
    else if (std::ranges::count(kNames, name) > 0 || (k && *k <= max_k))
      all.push_back(k ? fixed_name(*k) : name);
    else
      throw InputError(
          "--policies: '{}' is unknown; choose among mdp, fixed-k, fixed-0 .. fixed-{}, always-retrieve, "
          "always-reason, random, threshold, oracle",
          name, max_k);
  }
  for (const std::string& name : all)
    if (std::ranges::count(all, name) > 1) throw InputError("--policies names {} twice", name);
  if (all.empty()) throw InputError("--policies is empty");
  return all;
}

std::vector<std::unique_ptr<Policy>> make_policies(std::span<const std::string> names,
                                                   const PolicyOptions& options,
                                                   const ProgressModel& progress) {
  std::vector<std::unique_ptr<Policy>> policies;
  for (const std::string& name : names) policies.push_back(make_policy(name, options, progress));
  return policies;
}

}  // namespace relmpi
