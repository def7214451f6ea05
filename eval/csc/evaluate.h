#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/shards/dataset.h"
#include "dist/ranks/communicator.h"
#include "eval/csc/corrector.h"
#include "eval/csc/metrics.h"

namespace relmpi {

struct EvaluateOptions {
  int passes = 1;           // each feeds its output to the next
  std::int64_t batch = 32;  // sentences of about one length that run together, whatever the number of ranks
  bool losses = false;      // also the training losses, in the first pass
  bool tune = false;        // choose thresholds that make F1 highest on these sentences, before scoring them
  bool progress = false;
  std::int64_t limit = 0;  // only the first sentences; 0 = all
  bool stoppable = false;  // give up if a signal asks any rank to stop (dist/ranks/signals.h)

  void validate() const;  // throws InputError
};

// What a model did with one sentence pair; texts as they were before sharding, with the changes made.
struct CorrectionRow {
  std::int64_t sentence = 0;
  std::u32string source, target, prediction;
};

struct Evaluation {
  CscMetrics metrics;
  DecisionThresholds thresholds;  // those that were used
  double loss = 0;                // total, if asked for
  double seconds = 0;
  std::int64_t too_long = 0;  // sentences that do not fit the model and stay as they are
  std::vector<CorrectionRow> rows;
  bool interrupted = false;  // on every rank; the rest holds nothing then
};

// Corrects every sentence of a data set. Sentences are put into batches once, by length, and whole batches
// are dealt to ranks, so that the rows are the same bytes at any number of ranks. The result is complete on
// rank 0; other ranks get the metrics, thresholds and loss. Every rank must call it.
Evaluation evaluate(const Corrector& corrector, const Dataset& dataset, const DecisionThresholds& thresholds,
                    Communicator& communicator, const EvaluateOptions& options);

}  // namespace relmpi
