#pragma once

#include <cstdint>
#include <vector>

#include "eval/calibration.h"
#include "eval/decision_process.h"
#include "eval/states.h"

namespace relmpi {

// One pass seen on the calibration split.
struct ObservedStep {
  Action before = Action::kTerminate;  // the pass that led to the state it started from; terminate: none yet
  Action action = Action::kRetrieve;
  double confidence_before = 0;
  double confidence_after = 0;
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

// U, the calibrated probability that a text is right now, and the decision process over it; both fitted on
// steps of the calibration split. Before any pass U is the share of texts that are right; after one it is an
// isotonic function of what that pass said of its own output, one function for each action.
class ProgressModel {
 public:
  // Throws InputError for no steps.
  ProgressModel(const std::vector<ObservedStep>& steps, const ProgressOptions& options);

  double u(const State& state) const { return u(state.action, state.confidence); }
  double u(Action led_here, double confidence) const;
  const DecisionProcess& process() const { return process_; }
  const Solution& solution() const { return solution_; }
  // The best action at U, by Q interpolated between grid points; ties as in eval/decision_process.h.
  Action best_action(double u) const;

 private:
  Kernel fit_kernel(const std::vector<ObservedStep>& steps, Action action,
                    const ProgressOptions& options) const;

  double prior_ = 0;
  std::vector<Calibrator> calibrators_;  // reason, retrieve
  DecisionProcess process_;
  Solution solution_;
};

}  // namespace relmpi
