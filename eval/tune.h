#pragma once

#include <vector>

#include "eval/corrector.h"

namespace relmpi {

// The detector threshold and the margin that make the sentence-level correction F1 highest on these
// sentences; ties go to the stricter pair. The gate's threshold stays. `changes` holds what a pass proposed
// for each sentence.
DecisionThresholds tune_thresholds(const std::vector<SentenceIds>& source,
                                   const std::vector<SentenceIds>& target,
                                   const std::vector<std::vector<Change>>& changes,
                                   const DecisionThresholds& start);

}  // namespace relmpi
