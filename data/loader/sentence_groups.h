#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/shards/dataset.h"

namespace relmpi {

using SentenceIds = std::vector<std::int32_t>;

struct SentencePairs {
  std::vector<SentenceIds> source, target;
};

// The first `limit` sentences; 0 = all.
SentencePairs read_sentence_pairs(const Dataset& dataset, std::int64_t limit);

// The pairs with these numbers, in their order.
SentencePairs select(const SentencePairs& pairs, std::span<const std::int64_t> numbers);

// Sentence numbers in groups of nearly equal length: a function of the data alone, so that a group computes
// the same numbers whichever rank runs it. Sentences of more than `longest` characters are in no group.
std::vector<std::vector<std::int64_t>> length_groups(std::int64_t longest, const SentencePairs& pairs,
                                                     std::int64_t size);

}  // namespace relmpi
