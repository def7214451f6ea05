#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "eval/csc/corrector.h"
#include "eval/decisions/decision_process.h"

namespace relmpi {

// What U is judged by: the last pass that changed the text, or the first one. A pass that changes nothing has
// nothing new to say about the same text.
struct Evidence {
  Action action = Action::kTerminate;  // terminate: no pass yet
  std::int32_t depth = 0;              // which pass it was, from 1
  double confidence = 0;  // what it said of its own output: sum of log p of the characters as decided
};

// What a text looks like after a sequence of passes.
struct State {
  std::int64_t item = 0;
  SentenceIds text;
  bool correct = false;                // the text is the target
  int depth = 0;                       // passes so far
  Action action = Action::kTerminate;  // the pass that led here; terminate at the root
  Evidence evidence;
  bool settled[2] = {false, false};  // reason, retrieve: known to change nothing in this text
  std::int64_t cost_tokens = 0;      // of that pass: forward slots
  double cost_ms = 0;                // of that pass: its share of the batch it ran in
  std::int64_t child[2] = {-1, -1};  // after reason, after retrieve
};

// When a change is accepted, by kind of pass.
struct PassThresholds {
  DecisionThresholds retrieve, reason;
};

// The spelling-correction environment for a fixed group of sentences (DESIGN section 6): retrieve = a pass
// with the confusion candidates (the model's gate on), reason = a pass by the language model alone (alpha =
// 0). A pass over a text is run once, however many policies ask for it, and its cost counted each time.
// Groups are the same at any number of ranks, and so is all that is computed in them.
class CorrectionStates {
 public:
  CorrectionStates(const Corrector& corrector, const PassThresholds& thresholds,
                   std::vector<SentenceIds> sources, std::vector<SentenceIds> targets);

  std::int64_t items() const { return static_cast<std::int64_t>(targets_.size()); }
  std::int64_t root(std::int64_t i) const { return i; }  // state of the i-th item before any pass
  const State& state(std::int64_t id) const { return states_[static_cast<std::size_t>(id)]; }
  const SentenceIds& source(std::int64_t i) const { return states_[static_cast<std::size_t>(i)].text; }
  const SentenceIds& target(std::int64_t i) const { return targets_[static_cast<std::size_t>(i)]; }

  // Takes `action` (not terminate) in each of these states; returns where it leads. Passes not yet run go as
  // one batch.
  std::vector<std::int64_t> step(const std::vector<std::int64_t>& ids, Action action);

 private:
  // What a pass over a text gives.
  struct Pass {
    SentenceIds text;
    double confidence = 0;
    double ms = 0;
  };

  void run_missing(const std::vector<std::int64_t>& ids, Action action);

  const Corrector& corrector_;
  PassThresholds thresholds_;
  std::vector<SentenceIds> targets_;
  std::vector<State> states_;
  std::map<SentenceIds, Pass> passes_[2];  // by text: reason, retrieve
};

}  // namespace relmpi
