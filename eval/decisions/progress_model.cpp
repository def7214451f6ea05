#include "eval/decisions/progress_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "base/error.h"

namespace relmpi {
namespace {

// Confidences come from sums whose last bits depend on how many threads shared the work.
double rounded(double confidence) { return std::round(confidence * 1e3) / 1e3; }

double interpolated(const std::vector<double>& values, double u) {
  const double position = u * static_cast<double>(values.size() - 1);
  const auto low = std::min(static_cast<std::size_t>(position), values.size() - 2);
  const double share = position - static_cast<double>(low);
  return (1 - share) * values[low] + share * values[low + 1];
}

// Of the first step, or of later ones that changed the answer (of the first step if none did).
Calibrator fit_calibrator(const std::vector<ObservedStep>& steps, Action action, bool later) {
  std::vector<double> scores;
  std::vector<int> labels;
  for (const ObservedStep& step : steps) {
    const bool changed = step.after.depth == step.depth + 1;
    if (step.action != action || !changed || (step.depth > 0) != later) continue;
    scores.push_back(rounded(step.after.confidence));
    labels.push_back(step.correct_after);
  }
  if (scores.empty()) return fit_calibrator(steps, action, false);
  return Calibrator(scores, labels);
}

// Q of one step with these kernels, followed by states worth `value`.
std::array<std::vector<double>, 3> look_ahead(DecisionProcess process, Kernel reason, Kernel retrieve,
                                              const std::vector<double>& value) {
  process.reason.kernel = std::move(reason);
  process.retrieve.kernel = std::move(retrieve);
  return q_values(process, value);
}

std::vector<double> best_of(const std::array<std::vector<double>, 3>& q) {
  std::vector<double> best = q[0];
  for (std::size_t j = 0; j < best.size(); ++j) best[j] = std::max({q[0][j], q[1][j], q[2][j]});
  return best;
}

}  // namespace

std::vector<ObservedStep> observe(Episodes& episodes, int depth) {
  std::vector<ObservedStep> steps;
  std::vector<Episodes::Id> level = episodes.roots();
  for (int d = 0; d < depth; ++d) {
    std::vector<Episodes::Id> next;
    for (const Action action : kSteps) {
      const auto after = episodes.step(level, action);
      for (std::size_t i = 0; i < level.size(); ++i) {
        const EpisodeState &a = episodes.state(level[i]), &b = episodes.state(after[i]);
        steps.push_back({.action = action,
                         .depth = a.depth,
                         .before = a.evidence,
                         .after = b.evidence,
                         .settled = a.settled[step_index(action)],
                         .correct_before = a.correct,
                         .correct_after = b.correct,
                         .cost_tokens = static_cast<double>(b.cost.tokens)});
      }
      next.insert(next.end(), after.begin(), after.end());
    }
    level = std::move(next);
  }
  return steps;
}

ProgressModel::ProgressModel(const std::vector<ObservedStep>& steps, const ProgressOptions& options) {
  if (steps.empty()) throw InputError("the calibration split has no item that fits the model");
  calibrate(steps);
  const auto points = static_cast<std::size_t>(options.grid);
  for (std::size_t j = 0; j < points; ++j)
    process_.terminal_reward.push_back(static_cast<double>(j) / static_cast<double>(points - 1));
  process_.gamma = options.gamma;
  std::array<double, 2> tokens{}, count{};
  for (const ObservedStep& step : steps) {
    tokens[step_index(step.action)] += step.cost_tokens;
    count[step_index(step.action)] += 1;
  }
  const double mean_tokens = (tokens[0] + tokens[1]) / (count[0] + count[1]);
  const auto kernel = [&](Action action, int depth) { return fit_kernel(steps, action, depth, options); };
  for (const Action action : kSteps) {
    StepModel& step = action == Action::kReason ? process_.reason : process_.retrieve;
    step.kernel = kernel(action, 2);
    step.reward.assign(points,
                       -options.mu * tokens[step_index(action)] / count[step_index(action)] / mean_tokens);
  }
  process_.validate();
  solution_ = solve(process_);
  second_ = look_ahead(process_, kernel(Action::kReason, 1), kernel(Action::kRetrieve, 1), solution_.value);
  first_ = look_ahead(process_, kernel(Action::kReason, 0), kernel(Action::kRetrieve, 0), best_of(second_));
}

void ProgressModel::calibrate(const std::vector<ObservedStep>& steps) {
  double right = 0, roots = 0;
  for (const ObservedStep& step : steps) {
    if (step.depth > 0) continue;
    right += step.correct_before;
    roots += 1;
  }
  prior_ = right / roots;
  for (const Action action : kSteps)
    for (const bool later : {false, true}) calibrators_.push_back(fit_calibrator(steps, action, later));
}

double ProgressModel::u(const Evidence& evidence) const {
  if (evidence.depth == 0) return prior_;
  const Calibrator& calibrator = calibrators_[2 * step_index(evidence.action) + (evidence.depth > 1 ? 1 : 0)];
  return std::round(calibrator.apply(rounded(evidence.confidence)) * 1e6) / 1e6;
}

// The first step (depth 0), the second (1) or later ones (2). From u a step moves U by what it moved it by in
// the observed steps, which are weighted by a Gaussian in the distance of their start from u (Nadaraya-Watson
// on displacements: a step that changes nothing stays one that changes nothing).
Kernel ProgressModel::fit_kernel(const std::vector<ObservedStep>& steps, Action action, int depth,
                                 const ProgressOptions& options) const {
  const auto points = static_cast<std::size_t>(options.grid);
  const double last = static_cast<double>(points - 1);
  // Steps are gathered by where they start and how far they go, in grid points.
  std::vector<std::map<std::int64_t, double>> from(points);
  for (const ObservedStep& step : steps) {
    if (step.action != action || std::min(step.depth, 2) != depth || step.settled) continue;
    const double start = u(step.before);
    const double moved = u(step.after) - start;
    from[static_cast<std::size_t>(nearest_state(start, options.grid))][std::llround(moved * last)] += 1;
  }
  Kernel kernel;
  for (std::size_t j = 0; j < points; ++j) {
    std::vector<double> row(points, 0.0);
    double total = 0;
    for (std::size_t i = 0; i < points; ++i) {
      const double distance = (static_cast<double>(i) - static_cast<double>(j)) / last / options.bandwidth;
      const double weight = std::max(1e-12, std::exp(-0.5 * distance * distance));
      for (const auto& [moved, count] : from[i]) {
        const auto to = std::clamp<std::int64_t>(static_cast<std::int64_t>(j) + moved, 0, options.grid - 1);
        row[static_cast<std::size_t>(to)] += weight * count;
        total += weight * count;
      }
    }
    if (total == 0) {  // no step of this kind was seen: it changes nothing
      row[j] = 1;
      total = 1;
    }
    std::vector<Transition> transitions;
    for (std::size_t k = 0; k < points; ++k)
      if (row[k] > 0) transitions.push_back({static_cast<std::int64_t>(k), row[k] / total});
    kernel.rows.push_back(std::move(transitions));
  }
  return kernel;
}

Action ProgressModel::best_action(const EpisodeState& state) const {
  const QTables& q = state.depth == 0 ? first_ : state.depth == 1 ? second_ : solution_.q;
  const double now = u(state);
  Action best = Action::kTerminate;
  for (const Action action : kSteps)
    if (!state.settled[step_index(action)] && interpolated(q[static_cast<std::size_t>(action)], now) >
                                                  interpolated(q[static_cast<std::size_t>(best)], now) + kTie)
      best = action;
  return best;
}

}  // namespace relmpi
