#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "eval/csc/csc_environment.h"
#include "eval/decisions/calibration.h"
#include "eval/decisions/decision_process.h"

namespace relmpi {

// One pass seen on the calibration split.
struct ObservedStep {
  Action action = Action::kRetrieve;
  std::int32_t depth = 0;  // passes before it
  Evidence before, after;
  bool settled = false;  // it was known that this pass would change nothing
  std::int32_t correct_before = 0;
  std::int32_t correct_after = 0;
  double cost_tokens = 0;
};

// Every pass from the root up to `depth` passes, over all sequences of retrieve and reason.
std::vector<ObservedStep> observe(CorrectionStates& states, int depth);

struct ProgressOptions {
  std::int64_t grid = 101;
  double bandwidth = 0.05;  // of the kernel regression over U
  double mu = 0.01;         // price of one pass of mean cost, in terminal reward
  double gamma = 1.0;
};

// U, the calibrated probability that a text is right now, and what passes do to it; both fitted on steps of
// the calibration split. Before any pass U is the share of texts that are right. After one it is an isotonic
// function of what that pass said of its own output: one function for each action, for the first pass and for
// later ones (a model likes its own text better than it deserves). What a pass does is fitted for the first
// pass, for the second, and for all later ones, which make the stationary decision process: the first finds
// most errors, later ones ever fewer.
class ProgressModel {
 public:
  // Throws InputError for no steps. Needs passes at depths 0, 1 and 2.
  ProgressModel(const std::vector<ObservedStep>& steps, const ProgressOptions& options);

  double u(const State& state) const { return u(state.evidence); }
  double u(const Evidence& evidence) const;
  const DecisionProcess& process() const { return process_; }  // from the third pass on
  const Solution& solution() const { return solution_; }
  // The best action in a state, by Q interpolated between grid points, among those not known to change
  // nothing. Ties as in eval/decisions/decision_process.h.
  Action best_action(const State& state) const;

 private:
  using QTables = std::array<std::vector<double>, 3>;  // by Action, over the grid

  void calibrate(const std::vector<ObservedStep>& steps);
  Kernel fit_kernel(const std::vector<ObservedStep>& steps, Action action, int depth,
                    const ProgressOptions& options) const;

  double prior_ = 0;
  std::vector<Calibrator> calibrators_;  // reason first, reason later, retrieve first, retrieve later
  DecisionProcess process_;
  Solution solution_;
  QTables first_, second_;  // before the first pass, before the second
};

}  // namespace relmpi
