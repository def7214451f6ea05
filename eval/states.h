#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "eval/corrector.h"
#include "eval/decision_process.h"

namespace relmpi {

// What a text looks like after a sequence of passes. Every action from a state leads to one state, so each
// pass is run once, however many policies ask for it.
struct State {
  std::int64_t item = 0;
  SentenceIds text;
  bool correct = false;                // the text is the target
  Action action = Action::kTerminate;  // the pass that led here; terminate at the root
  double confidence = 0;  // what that pass said of its own output: sum of log p of the characters as decided
  std::int64_t cost_tokens = 0;      // of that pass: forward slots
  double cost_ms = 0;                // of that pass: its share of the batch it ran in
  std::int64_t child[2] = {-1, -1};  // after reason, after retrieve
};

// The spelling-correction environment for a fixed group of sentences (DESIGN section 6): retrieve = a pass
// with the confusion candidates (the model's gate on), reason = a pass by the language model alone (alpha =
// 0). Groups are the same at any number of ranks, and so is all that is computed in them.
class CorrectionStates {
 public:
  CorrectionStates(const Corrector& corrector, DecisionThresholds thresholds, std::vector<std::int64_t> items,
                   std::vector<SentenceIds> sources, std::vector<SentenceIds> targets);

  std::int64_t items() const { return static_cast<std::int64_t>(items_.size()); }
  std::int64_t root(std::int64_t i) const { return i; }  // state of the i-th item before any pass
  const State& state(std::int64_t id) const { return states_[static_cast<std::size_t>(id)]; }
  const SentenceIds& source(std::int64_t i) const { return states_[static_cast<std::size_t>(i)].text; }
  const SentenceIds& target(std::int64_t i) const { return targets_[static_cast<std::size_t>(i)]; }

  // Takes `action` (not terminate) in each of these states; returns where it leads. Passes not yet run go as
  // one batch.
  std::vector<std::int64_t> step(const std::vector<std::int64_t>& ids, Action action);

 private:
  const Corrector& corrector_;
  DecisionThresholds thresholds_;
  std::vector<std::int64_t> items_;
  std::vector<SentenceIds> targets_;
  std::vector<State> states_;
};

}  // namespace relmpi
