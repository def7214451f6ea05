#pragma once

#include <cstdint>
#include <vector>

#include "data/loader/sentence_groups.h"
#include "dist/ranks/communicator.h"
#include "eval/csc/corrector.h"

namespace relmpi {

// The thresholds that are tried, from never changing anything to taking every change. The gate's stays as in
// `start`.
std::vector<DecisionThresholds> threshold_grid(const DecisionThresholds& start);

// How many of these sentences end right. `changes` holds what a pass proposed for each sentence.
std::int64_t count_right(const std::vector<SentenceIds>& source, const std::vector<SentenceIds>& target,
                         const std::vector<std::vector<Change>>& changes,
                         const DecisionThresholds& thresholds);

// The thresholds of the grid that make the sentence-level correction F1 highest; the strictest of equals.
DecisionThresholds tune_thresholds(const std::vector<SentenceIds>& source,
                                   const std::vector<SentenceIds>& target,
                                   const std::vector<std::vector<Change>>& changes,
                                   const DecisionThresholds& start);

// When a pass of the language model alone may change a character: the model's own thresholds speak of the
// gated mixture, so the detector's threshold and the margin are fitted here, to the largest number of
// calibration sentences that end right, over texts as they were written and texts after one retrieve. Every
// rank must call it and gets the same answer.
DecisionThresholds fit_reason_thresholds(const Corrector& corrector, const SentencePairs& pairs,
                                         const std::vector<std::vector<std::int64_t>>& groups,
                                         const DecisionThresholds& retrieve, Communicator& communicator);

}  // namespace relmpi
