#include "data/loader/sentence_groups.h"

#include <algorithm>

namespace relmpi {
namespace {

constexpr std::int64_t kReadAtOnce = 4096;

}  // namespace

SentencePairs read_sentence_pairs(const Dataset& dataset, std::int64_t limit) {
  const std::int64_t count = limit > 0 ? std::min(limit, dataset.sentences()) : dataset.sentences();
  SentencePairs pairs;
  for (std::int64_t begin = 0; begin < count; begin += kReadAtOnce) {
    const Sentences part = dataset.read(begin, std::min(begin + kReadAtOnce, count));
    for (std::size_t i = 0; i + 1 < part.offsets.size(); ++i) {
      const auto from = static_cast<std::ptrdiff_t>(part.offsets[i]),
                 to = static_cast<std::ptrdiff_t>(part.offsets[i + 1]);
      pairs.source.emplace_back(part.source.begin() + from, part.source.begin() + to);
      pairs.target.emplace_back(part.target.begin() + from, part.target.begin() + to);
    }
  }
  return pairs;
}

SentencePairs select(const SentencePairs& pairs, std::span<const std::int64_t> numbers) {
  SentencePairs chosen;
  for (const std::int64_t i : numbers) {
    chosen.source.push_back(pairs.source[static_cast<std::size_t>(i)]);
    chosen.target.push_back(pairs.target[static_cast<std::size_t>(i)]);
  }
  return chosen;
}

std::vector<std::vector<std::int64_t>> length_groups(std::int64_t longest, const SentencePairs& pairs,
                                                     std::int64_t size) {
  std::vector<std::int64_t> order;
  for (std::size_t i = 0; i < pairs.source.size(); ++i)
    if (std::ssize(pairs.source[i]) <= longest) order.push_back(static_cast<std::int64_t>(i));
  const auto length = [&](std::int64_t i) { return pairs.source[static_cast<std::size_t>(i)].size(); };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return length(a) < length(b); });
  std::vector<std::vector<std::int64_t>> groups;
  for (std::size_t begin = 0; begin < order.size(); begin += static_cast<std::size_t>(size))
    groups.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(begin),
                        order.begin() + static_cast<std::ptrdiff_t>(
                                            std::min(order.size(), begin + static_cast<std::size_t>(size))));
  return groups;
}

}  // namespace relmpi
