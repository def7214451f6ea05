#include "eval/progress_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "eval/mdp.h"

namespace relmpi {
namespace {

// Confidences come from sums whose last bits depend on how many threads shared the work.
double rounded(double confidence) { return std::round(confidence * 1e3) / 1e3; }

std::size_t slot(Action action) { return action == Action::kReason ? 0 : 1; }

// Adds `weight` at u in [0, 1] to the two grid points beside it.
void add_interpolated(std::vector<double>& row, double u, double weight) {
  const double place = u * static_cast<double>(row.size() - 1);
  const auto low = std::min(static_cast<std::size_t>(place), row.size() - 2);
  const double share = place - static_cast<double>(low);
  row[low] += weight * (1 - share);
  row[low + 1] += weight * share;
}

}  // namespace

std::vector<ObservedStep> observe(CorrectionStates& states, int depth) {
  std::vector<ObservedStep> steps;
  std::vector<std::int64_t> level(static_cast<std::size_t>(states.items()));
  std::iota(level.begin(), level.end(), 0);
  for (int d = 0; d < depth; ++d) {
    std::vector<std::int64_t> next;
    for (const Action action : {Action::kReason, Action::kRetrieve}) {
      const auto after = states.step(level, action);
      for (std::size_t i = 0; i < level.size(); ++i) {
        const State &a = states.state(level[i]), &b = states.state(after[i]);
        steps.push_back({.before = a.action,
                         .action = action,
                         .confidence_before = a.confidence,
                         .confidence_after = b.confidence,
                         .correct_before = a.correct,
                         .correct_after = b.correct,
                         .cost_tokens = static_cast<double>(b.cost_tokens)});
      }
      next.insert(next.end(), after.begin(), after.end());
    }
    level = std::move(next);
  }
  return steps;
}

ProgressModel::ProgressModel(const std::vector<ObservedStep>& steps, const ProgressOptions& options) {
  if (steps.empty()) throw InputError("the calibration split has no sentence that fits the model");
  double right = 0, roots = 0, tokens = 0;
  std::array<double, 2> action_tokens{}, action_count{};
  for (const ObservedStep& step : steps) {
    if (step.before == Action::kTerminate) {
      right += step.correct_before;
      roots += 1;
    }
    tokens += step.cost_tokens;
    action_tokens[slot(step.action)] += step.cost_tokens;
    action_count[slot(step.action)] += 1;
  }
  prior_ = right / roots;
  for (const Action action : {Action::kReason, Action::kRetrieve}) {
    std::vector<double> scores;
    std::vector<int> labels;
    for (const ObservedStep& step : steps) {
      if (step.action != action) continue;
      scores.push_back(rounded(step.confidence_after));
      labels.push_back(step.correct_after);
    }
    calibrators_.push_back(Calibrator::fit(CalibrationKind::kIsotonic, scores, labels));
  }
  const auto points = static_cast<std::size_t>(options.grid);
  for (std::size_t j = 0; j < points; ++j)
    process_.terminal_reward.push_back(static_cast<double>(j) / static_cast<double>(points - 1));
  process_.gamma = options.gamma;
  const double mean_tokens = tokens / static_cast<double>(steps.size());
  for (const Action action : {Action::kReason, Action::kRetrieve}) {
    Step& step = action == Action::kReason ? process_.reason : process_.retrieve;
    step.kernel = fit_kernel(steps, action, options);
    const double cost = action_tokens[slot(action)] / action_count[slot(action)] / mean_tokens;
    step.reward.assign(points, -options.mu * cost);
  }
  process_.validate();
  solution_ = solve(process_);
}

double ProgressModel::u(Action led_here, double confidence) const {
  const double u =
      led_here == Action::kTerminate ? prior_ : calibrators_[slot(led_here)].apply(rounded(confidence));
  return std::round(u * 1e6) / 1e6;
}

// Nadaraya-Watson: the distribution of U after a step from u is that of the observed steps, weighted by a
// Gaussian in their distance from u.
Kernel ProgressModel::fit_kernel(const std::vector<ObservedStep>& steps, Action action,
                                 const ProgressOptions& options) const {
  const auto points = static_cast<std::size_t>(options.grid);
  // Steps are gathered by where they start, so that rows cost grid x grid and not grid x steps.
  std::vector<std::vector<double>> from(points, std::vector<double>(points, 0.0));
  std::vector<double> mass(points, 0.0);
  for (const ObservedStep& step : steps) {
    if (step.action != action) continue;
    const auto start = static_cast<std::size_t>(
        nearest_state(u(step.before, step.confidence_before), static_cast<std::int64_t>(points)));
    add_interpolated(from[start], u(step.action, step.confidence_after), 1.0);
    mass[start] += 1;
  }
  Kernel kernel;
  for (std::size_t j = 0; j < points; ++j) {
    std::vector<double> row(points, 0.0);
    double total = 0;
    for (std::size_t i = 0; i < points; ++i) {
      if (mass[i] == 0) continue;
      const double distance = (static_cast<double>(i) - static_cast<double>(j)) /
                              static_cast<double>(points - 1) / options.bandwidth;
      const double weight = std::max(1e-12, std::exp(-0.5 * distance * distance));
      for (std::size_t k = 0; k < points; ++k) row[k] += weight * from[i][k];
      total += weight * mass[i];
    }
    std::vector<Transition> transitions;
    for (std::size_t k = 0; k < points; ++k)
      if (row[k] > 0) transitions.push_back({static_cast<std::int64_t>(k), row[k] / total});
    kernel.rows.push_back(std::move(transitions));
  }
  return kernel;
}

Action ProgressModel::best_action(double u) const {
  const auto points = static_cast<std::size_t>(process_.states());
  const double place = u * static_cast<double>(points - 1);
  const auto low = std::min(static_cast<std::size_t>(place), points - 2);
  const double share = place - static_cast<double>(low);
  Action best = Action::kTerminate;
  double best_q = 0;
  for (const Action action : kActions) {
    const auto& q = solution_.q[static_cast<std::size_t>(action)];
    const double value = (1 - share) * q[low] + share * q[low + 1];
    if (action != Action::kTerminate && value <= best_q + kTie) continue;
    best = action;
    best_q = value;
  }
  return best;
}

}  // namespace relmpi
