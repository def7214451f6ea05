#include "data/bpe_merge.h"

#include <bit>
#include <limits>
#include <queue>
#include <tuple>
#include <utility>

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
  // The symbols are a list inside the vector; a merged one stays at its left part's place.
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  struct Candidate {
    std::int32_t rank;
    std::size_t place;
    std::int32_t left, right, merged;
    bool operator>(const Candidate& other) const {
      return std::tie(rank, place) > std::tie(other.rank, other.place);
    }
  };
  const std::size_t size = symbols.size();
  if (size < 2) return;
  std::vector<std::size_t> next(size), previous(size);
  for (std::size_t i = 0; i < size; ++i) {
    next[i] = i + 1 < size ? i + 1 : kNone;
    previous[i] = i > 0 ? i - 1 : kNone;
  }
  std::vector<bool> gone(size, false);
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto offer = [&](std::size_t place) {
    const std::size_t right = next[place];
    if (const Entry* entry = find(symbols[place], symbols[right]))
      queue.push({entry->rank, place, symbols[place], symbols[right], entry->merged});
  };
  for (std::size_t i = 0; i + 1 < size; ++i) offer(i);
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    const std::size_t right = gone[top.place] ? kNone : next[top.place];
    // One of the two has been merged with another neighbour since.
    if (right == kNone || symbols[top.place] != top.left || symbols[right] != top.right) continue;
    symbols[top.place] = top.merged;
    gone[right] = true;
    next[top.place] = next[right];
    if (next[right] != kNone) previous[next[right]] = top.place;
    if (previous[top.place] != kNone) offer(previous[top.place]);
    if (next[top.place] != kNone) offer(top.place);
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < size; ++i)
    if (!gone[i]) symbols[kept++] = symbols[i];
  symbols.resize(kept);
}

}  // namespace relmpi
