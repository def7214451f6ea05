#pragma once

#include <cstdint>
#include <vector>

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

}  // namespace relmpi
