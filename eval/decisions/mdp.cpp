#include "eval/decisions/mdp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"

namespace relmpi {
namespace {

constexpr int kMostFixed = 8;
constexpr std::int64_t kMostStates = 100000;
constexpr std::size_t kDrawingWidth = 60;
constexpr std::array<std::string_view, 4> kRewardNames = {"linear", "sqrt", "saturating", "sigmoid"};
constexpr std::array<std::string_view, 2> kProjectionNames = {"linear", "nearest"};
constexpr double kSnap =
    1e-9;  // grid units: an end this near to a grid point, or to the middle of a cell, is there

void require(bool holds, const char* option, double value, const char* range) {
  if (!holds) throw InputError("{} is {}; give {}", option, value, range);
}

void require_at_least_0(const char* option, double value) {
  require(value >= 0 && std::isfinite(value), option, value, "a finite number, at least 0");
}

// Where a move of `delta` from `state` ends. Everything at U = 1 and above is U = 1.
std::vector<Transition> landing(std::int64_t state, double delta, std::int64_t states,
                                Projection projection) {
  const auto last = static_cast<double>(states - 1);
  const double position = std::min(static_cast<double>(state) + delta * last, last);
  const double lower = std::floor(position + kSnap);
  const double fraction = position - lower;
  const auto cell = static_cast<std::int64_t>(lower);
  if (fraction <= kSnap) return {{cell, 1.0}};
  if (projection == Projection::kNearest) return {{fraction > 0.5 + kSnap ? cell + 1 : cell, 1.0}};
  return {{cell, 1.0 - fraction}, {cell + 1, fraction}};
}

StepModel make_step(const MdpOptions& options, double delta, double success, double cost) {
  StepModel step;
  step.reward.assign(options.grid, -options.mu * cost);
  step.kernel.rows.resize(options.grid);
  for (std::int64_t state = 0; state < options.grid; ++state) {
    auto& row = step.kernel.rows[state];
    row = landing(state, delta, options.grid, options.projection);
    for (Transition& transition : row) transition.probability *= success;
    if (success < 1) row.push_back({state, 1.0 - success});
  }
  return step;
}

nlohmann::ordered_json finite_or_null(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

// One letter per column: T terminate, r reason, R retrieve.
std::string draw_bands(const ActionTable& policy) {
  const std::size_t width = std::min(kDrawingWidth, policy.size());
  std::string drawing;
  for (std::size_t column = 0; column < width; ++column) {
    const std::size_t state = width == 1 ? 0 : column * (policy.size() - 1) / (width - 1);
    constexpr std::string_view letters = "TrR";
    drawing += letters[static_cast<std::size_t>(policy[state])];
  }
  return drawing;
}

// The position of `name` among `names`.
template <std::size_t N>
std::size_t index_of(const std::array<std::string_view, N>& names, std::string_view name,
                     const char* option) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    throw InputError("{} is '{}'; give one of: {}", option, name, fmt::join(names, ", "));
  return static_cast<std::size_t>(found - names.begin());
}

}  // namespace

Reward reward_of(std::string_view name) {
  return static_cast<Reward>(index_of(kRewardNames, name, "--reward"));
}

Projection projection_of(std::string_view name) {
  return static_cast<Projection>(index_of(kProjectionNames, name, "--projection"));
}

void MdpOptions::validate() const {
  require_at_least_0("--delta-retrieve", delta_retrieve);
  require_at_least_0("--delta-reason", delta_reason);
  require(success >= 0 && success <= 1, "--success", success, "a probability in [0, 1]");
  require_at_least_0("--cost-retrieve", cost_retrieve);
  require_at_least_0("--cost-reason", cost_reason);
  require_at_least_0("--mu", mu);
  require(std::isfinite(mu * cost_retrieve) && std::isfinite(mu * cost_reason), "--mu", mu,
          "a number whose product with the costs is finite");
  require(gamma > 0 && gamma <= 1, "--gamma", gamma, "a discount in (0, 1]");
  if (grid < 2 || grid > kMostStates) {
    throw InputError("--grid is {}; give a number of points from 2 to {}", grid, kMostStates);
  }
  require(reward_k > 0 && std::isfinite(reward_k), "--reward-k", reward_k, "a finite number above 0");
  require(tolerance > 0 && std::isfinite(tolerance), "--tolerance", tolerance, "a finite number above 0");
}

double terminal_reward(Reward reward, double k, double x) {
  switch (reward) {
    case Reward::kLinear:
      return x;
    case Reward::kSqrt:
      return std::sqrt(x);
    case Reward::kSaturating:
      return -std::expm1(-k * x);
    case Reward::kSigmoid:
      return 1.0 / (1.0 + std::exp(-k * (x - 0.5)));
  }
  RELMPI_CHECK(false, "no such reward");
}

DecisionProcess make_process(const MdpOptions& options) {
  options.validate();
  DecisionProcess process;
  process.gamma = options.gamma;
  process.terminal_reward.resize(options.grid);
  for (std::int64_t state = 0; state < options.grid; ++state) {
    const double u = static_cast<double>(state) / static_cast<double>(options.grid - 1);
    process.terminal_reward[state] = terminal_reward(options.reward, options.reward_k, u);
  }
  process.retrieve = make_step(options, options.delta_retrieve, options.success, options.cost_retrieve);
  process.reason = make_step(options, options.delta_reason, 1.0, options.cost_reason);
  return process;
}

double fixed_k_value(const MdpOptions& options, int k) {
  RELMPI_CHECK(k >= 0, "{} retrieves", k);
  double value = 0;
  double discount = 1;
  for (int step = 0; step <= k; ++step) {
    value -= discount * options.mu * (step < k ? options.cost_retrieve : options.cost_reason);
    discount *= options.gamma;
  }
  double choose = 1;  // k over successes
  for (int successes = 0; successes <= k; ++successes) {
    const double probability =
        choose * std::pow(options.success, successes) * std::pow(1.0 - options.success, k - successes);
    const double u = std::min(std::min(successes * options.delta_retrieve, 1.0) + options.delta_reason, 1.0);
    value += discount * probability * terminal_reward(options.reward, options.reward_k, u);
    choose = choose * (k - successes) / (successes + 1);
  }
  return value;
}

MdpReport solve_mdp(const MdpOptions& options) {
  const DecisionProcess process = make_process(options);
  MdpReport report;
  report.options = options;
  report.solution = solve(process, options.tolerance);
  report.thresholds = summarise_thresholds(process, report.solution);
  for (int k = 0; k <= kMostFixed; ++k) report.fixed_k.push_back(fixed_k_value(options, k));
  return report;
}

nlohmann::ordered_json to_json(const MdpReport& report) {
  const ThresholdSummary& thresholds = report.thresholds;
  nlohmann::ordered_json json;
  json["value_at_0"] = report.solution.value.front();
  json["theta_continue"] = thresholds.theta_continue;
  json["theta_star"] = thresholds.theta_star;
  json["bands"] = thresholds.bands;
  json["threshold_form"] = thresholds.threshold_form;
  json["threshold_policy_value"] = finite_or_null(thresholds.threshold_policy_value);
  json["regret"] = finite_or_null(thresholds.regret);
  json["iterations"] = report.solution.iterations;
  json["fixed_k"] = report.fixed_k;
  auto policy = nlohmann::ordered_json::array();
  for (Action action : report.solution.policy) policy.push_back(name_of(action));
  json["policy"] = std::move(policy);
  return json;
}

std::string to_text(const MdpReport& report) {
  const MdpOptions& options = report.options;
  const ThresholdSummary& thresholds = report.thresholds;
  const auto best = std::max_element(report.fixed_k.begin(), report.fixed_k.end()) - report.fixed_k.begin();
  std::string text = fmt::format(
      "decision process: reward {}, {} grid points, retrieve +{} with probability {} for {}, reason +{} for "
      "{}, mu {}, "
      "gamma {}\n\n",
      kRewardNames[static_cast<std::size_t>(options.reward)], options.grid, options.delta_retrieve,
      options.success, options.cost_retrieve, options.delta_reason, options.cost_reason, options.mu,
      options.gamma);
  text += fmt::format("value at U = 0          {:10.6f}\n", report.solution.value.front());
  text += fmt::format("theta_continue          {:10.6f}   retrieve below\n", thresholds.theta_continue);
  text += fmt::format("theta*                  {:10.6f}   terminate from here on\n", thresholds.theta_star);
  text +=
      fmt::format("bands                   {:10}   {}\n", thresholds.bands,
                  thresholds.threshold_form ? "the optimal policy has the form of two thresholds"
                                            : "the optimal policy does NOT have the form of two thresholds");
  text += fmt::format("two-threshold policy    {:10.6f}   regret {:.6f}\n", thresholds.threshold_policy_value,
                      thresholds.regret);
  text += fmt::format("best fixed-k            {:10.6f}   k = {}\n", report.fixed_k[best], best);
  text += fmt::format("sweeps                  {:10}\n\nfixed-k  ", report.solution.iterations);
  for (int k = 0; k <= kMostFixed; ++k) text += fmt::format("{:>9}", fmt::format("k={}", k));
  text += "\nvalue    ";
  for (double value : report.fixed_k) text += fmt::format("{:9.4f}", value);
  const std::string drawing = draw_bands(report.solution.policy);
  text += fmt::format("\n\nU  0 |{}| 1      R retrieve  r reason  T terminate\n", drawing);
  return text;
}

}  // namespace relmpi
