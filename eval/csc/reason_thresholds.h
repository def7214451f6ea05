#pragma once

#include <vector>

#include "data/loader/sentence_groups.h"
#include "dist/ranks/communicator.h"
#include "eval/csc/corrector.h"

namespace relmpi {

// When a pass of the language model alone may change a character: the model's own thresholds speak of the
// gated mixture, so the detector's threshold and the margin are fitted here, to the largest number of
// calibration sentences that end right, over texts as they were written and texts after one retrieve. Every
// rank must call it and gets the same answer.
DecisionThresholds fit_reason_thresholds(const Corrector& corrector, const SentencePairs& pairs,
                                         const std::vector<std::vector<std::int64_t>>& groups,
                                         const DecisionThresholds& retrieve, Communicator& communicator);

}  // namespace relmpi
