#pragma once

#include <cstdint>
#include <vector>

#include "data/spelling/confusion.h"
#include "data/spelling/noise.h"
#include "data/text/vocabulary.h"

namespace relmpi {

// For each token of the vocabulary the K tokens that a writer may have meant by it: itself first, then by
// falling P(meant y | wrote x), which is proportional to count(y) * P(wrote x | meant y) with the noise
// channel of data/spelling/noise.h.
struct CandidateTable {
  std::int32_t vocabulary_size = 0;  // V
  std::int32_t width = 0;            // K
  std::vector<std::int32_t> ids;     // (V, K), row-major; -1 fills rows with fewer candidates
};

// `counts`: how often each of the V tokens occurs in right text (training targets); a y that never occurs
// stands behind all that do. Characters outside the vocabulary are left out. Special tokens have themselves
// as their only candidate. `mix`: the shares of the kinds of error. Throws InputError for width < 1 or counts
// of another size than the vocabulary.
CandidateTable build_candidates(const Vocabulary& vocabulary, const ConfusionSet& confusion,
                                const std::vector<std::int64_t>& counts, std::int32_t width,
                                const ErrorMix& mix = kDefaultMix);

}  // namespace relmpi
