#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace relmpi {

// The merges of byte-pair encoding (Sennrich et al. 2016): which two neighbouring tokens become one, and in
// which order. The pair of the lowest rank goes first, the leftmost of equal ones; merging ends when no pair
// is in the table.
class BpeMerges {
 public:
  // Makes room for `expected` pairs.
  explicit BpeMerges(std::size_t expected = 0);

  // Ids and ranks are at least 0; no two pairs have the same rank. A pair that is already there gets the new
  // rank and result.
  void add(std::int32_t left, std::int32_t right, std::int32_t rank, std::int32_t merged);

  // Merges in place. Up to kShort symbols by looking for the best pair again and again, more of them in
  // O(n log n) with a heap; both give the same. Throws InputError for more than 2^32 - 2 symbols.
  void merge(std::vector<std::int32_t>& symbols) const;
  void merge_short(std::vector<std::int32_t>& symbols) const;
  void merge_long(std::vector<std::int32_t>& symbols) const;

  static constexpr std::size_t kShort = 48;

 private:
  struct Entry {
    std::uint64_t pair = kEmpty;
    std::int32_t rank = 0;
    std::int32_t merged = 0;
  };
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};

  const Entry* find(std::int32_t left, std::int32_t right) const;
  std::size_t slot(std::uint64_t pair) const;
  void grow();

  std::vector<Entry> table_;  // open addressing; a power of two, at most half full
  std::size_t size_ = 0;
};

}  // namespace relmpi
