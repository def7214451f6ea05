#include "data/tokenizers/bpe_merge.h"

#include <bit>
#include <limits>
#include <queue>
#include <utility>

#include "base/error.h"

namespace relmpi {
namespace {

constexpr std::int32_t kNoRank = std::numeric_limits<std::int32_t>::max();

std::uint64_t pair_of(std::int32_t left, std::int32_t right) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
         static_cast<std::uint32_t>(right);
}

}  // namespace

BpeMerges::BpeMerges(std::size_t expected) : table_(std::bit_ceil(2 * expected + 16)) {}

std::size_t BpeMerges::slot(std::uint64_t pair) const {
  const std::uint64_t mixed = (pair ^ (pair >> 32)) * 0x9E3779B97F4A7C15ULL;
  std::size_t at = (mixed ^ (mixed >> 29)) & (table_.size() - 1);
  while (table_[at].pair != kEmpty && table_[at].pair != pair) at = (at + 1) & (table_.size() - 1);
  return at;
}

const BpeMerges::Entry* BpeMerges::find(std::int32_t left, std::int32_t right) const {
  const Entry& entry = table_[slot(pair_of(left, right))];
  return entry.pair == kEmpty ? nullptr : &entry;
}

void BpeMerges::grow() {
  const auto old = std::exchange(table_, std::vector<Entry>(2 * table_.size()));
  for (const Entry& entry : old)
    if (entry.pair != kEmpty) table_[slot(entry.pair)] = entry;
}

void BpeMerges::add(std::int32_t left, std::int32_t right, std::int32_t rank, std::int32_t merged) {
  if (2 * (size_ + 1) > table_.size()) grow();
  Entry& entry = table_[slot(pair_of(left, right))];
  if (entry.pair == kEmpty) ++size_;
  entry = {pair_of(left, right), rank, merged};
}

void BpeMerges::merge(std::vector<std::int32_t>& symbols) const {
  if (symbols.size() <= kShort)
    merge_short(symbols);
  else
    merge_long(symbols);
}

void BpeMerges::merge_short(std::vector<std::int32_t>& symbols) const {
  // What each symbol and the one after it become.
  struct Pair {
    std::int32_t rank = kNoRank;
    std::int32_t merged = 0;
  };
  if (symbols.size() < 2) return;
  const auto look_up = [&](std::size_t i) {
    const Entry* entry = find(symbols[i], symbols[i + 1]);
    return entry == nullptr ? Pair{} : Pair{entry->rank, entry->merged};
  };
  std::vector<Pair> pairs(symbols.size() - 1);
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = look_up(i);
  while (!pairs.empty()) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < pairs.size(); ++i)
      if (pairs[i].rank < pairs[best].rank) best = i;
    if (pairs[best].rank == kNoRank) return;
    const auto at = static_cast<std::ptrdiff_t>(best);
    symbols[best] = pairs[best].merged;
    symbols.erase(symbols.begin() + at + 1);
    pairs.erase(pairs.begin() + at);
    if (best > 0) pairs[best - 1] = look_up(best - 1);
    if (best < pairs.size()) pairs[best] = look_up(best);
  }
}

void BpeMerges::merge_long(std::vector<std::int32_t>& symbols) const {
  // The symbols are a list inside the vector; a merged one stays at its left part's place. Candidates are
  // (rank, place) in one word: a heap of millions of them is what a long run costs.
  using Place = std::uint32_t;
  constexpr Place kNone = std::numeric_limits<Place>::max();
  if (symbols.size() < 2) return;
  if (symbols.size() >= kNone)
    throw InputError("a word of {} bytes is too long; give the text in parts", symbols.size());
  const auto size = static_cast<Place>(symbols.size());
  std::vector<Place> next(size), previous(size);
  for (Place i = 0; i < size; ++i) {
    next[i] = i + 1 < size ? i + 1 : kNone;
    previous[i] = i > 0 ? i - 1 : kNone;
  }
  std::vector<bool> gone(size, false);
  std::vector<std::uint64_t> first;
  const auto offer = [&](Place place, const auto& push) {
    if (const Entry* entry = find(symbols[place], symbols[next[place]]))
      push((static_cast<std::uint64_t>(entry->rank) << 32) | place);
  };
  for (Place i = 0; i + 1 < size; ++i) offer(i, [&](std::uint64_t candidate) { first.push_back(candidate); });
  std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> queue({}, std::move(first));
  const auto push = [&](std::uint64_t candidate) { queue.push(candidate); };
  while (!queue.empty()) {
    const auto rank = static_cast<std::int32_t>(queue.top() >> 32);
    const auto place = static_cast<Place>(queue.top());
    queue.pop();
    if (gone[place] || next[place] == kNone) continue;
    const Place right = next[place];
    // Each pair has a rank of its own; another one, or none, if a part has merged with its other
    // neighbour.
    const Entry* entry = find(symbols[place], symbols[right]);
    if (entry == nullptr || entry->rank != rank) continue;
    symbols[place] = entry->merged;
    gone[right] = true;
    next[place] = next[right];
    if (next[right] != kNone) previous[next[right]] = place;
    if (previous[place] != kNone) offer(previous[place], push);
    if (next[place] != kNone) offer(place, push);
  }
  std::size_t kept = 0;
  for (Place i = 0; i < size; ++i)
    if (!gone[i]) symbols[kept++] = symbols[i];
  symbols.resize(kept);
}

}  // namespace relmpi
