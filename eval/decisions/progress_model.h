#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "eval/decisions/calibration.h"
#include "eval/decisions/decision_process.h"
#include "eval/decisions/episodes.h"

namespace relmpi {

// One step seen on the calibration split.
struct ObservedStep {
  Action action = Action::kRetrieve;
  std::int32_t depth = 0;  // steps before it
  Evidence before, after;
  bool settled = false;  // it was known that this step would change nothing
  std::int32_t correct_before = 0;
  std::int32_t correct_after = 0;
  double cost_tokens = 0;
};

// Every step from the root up to `depth` steps, over all sequences of retrieve and reason.
std::vector<ObservedStep> observe(Episodes& episodes, int depth);

struct ProgressOptions {
  std::int64_t grid = 101;
  double bandwidth = 0.05;  // of the kernel regression over U
  double mu = 0.01;         // price of one step of mean cost, in terminal reward
  double gamma = 1.0;
};

// U, the calibrated probability that an answer is right now, and what steps do to it; both fitted on steps of
// the calibration split. Before any step U is the share of answers that are right. After one it is an
// isotonic function of what that step said of its own answer: one function for each action, for the first
// step and for later ones (a model rates its own answer higher than it deserves). What a step does is fitted
// for the first step, for the second, and for all later ones, which make the stationary decision process: the
// first finds most errors, later ones ever fewer.
class ProgressModel {
 public:
  // Throws InputError for no steps. Needs steps at depths 0, 1 and 2.
  ProgressModel(const std::vector<ObservedStep>& steps, const ProgressOptions& options);

  double u(const EpisodeState& state) const { return u(state.evidence); }
  double u(const Evidence& evidence) const;
  const DecisionProcess& process() const { return process_; }  // from the third step on
  const Solution& solution() const { return solution_; }
  // The best action in a state, by Q interpolated between grid points, among those not known to change
  // nothing. Ties as in eval/decisions/decision_process.h.
  Action best_action(const EpisodeState& state) const;

 private:
  using QTables = std::array<std::vector<double>, 3>;  // by Action, over the grid

  void calibrate(const std::vector<ObservedStep>& steps);
  Kernel fit_kernel(const std::vector<ObservedStep>& steps, Action action, int depth,
                    const ProgressOptions& options) const;

  double prior_ = 0;
  std::vector<Calibrator> calibrators_;  // reason first, reason later, retrieve first, retrieve later
  DecisionProcess process_;
  Solution solution_;
  QTables first_, second_;  // before the first step, before the second
};

}  // namespace relmpi
