#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"
#include "eval/corrector.h"

namespace relmpi {

struct SentencePairs {
  std::vector<SentenceIds> source, target;
};

// The first `limit` sentences; 0 = all.
SentencePairs read_sentence_pairs(const Dataset& dataset, std::int64_t limit);

// Sentence numbers in groups of nearly equal length: a function of the data alone, so that a group computes
// the same numbers whichever rank runs it. Sentences too long for the model are in no group.
std::vector<std::vector<std::int64_t>> length_groups(const Corrector& corrector, const SentencePairs& pairs,
                                                     std::int64_t size);

}  // namespace relmpi
