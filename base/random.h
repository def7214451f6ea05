#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace relmpi {

// Randomness here is a function of (seed, purpose, index), never of the order of calls: the same sentence
// gets the same noise at any number of ranks, threads and restarts.

// The finaliser of splitmix64 (Steele, Lea, Flood 2014): a bijection of 64-bit words that scatters near
// values.
constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// FNV-1a of the name of what the numbers are for.
constexpr std::uint64_t purpose_of(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

// The stream of numbers that belongs to (seed, purpose, index...).
class Random {
 public:
  template <typename... Index>
  Random(std::uint64_t seed, std::string_view purpose, Index... index)
      : state_(mix64(seed ^ purpose_of(purpose))) {
    ((state_ = mix64(state_ ^ static_cast<std::uint64_t>(index))), ...);
  }

  std::uint64_t next() { return mix64(state_++); }

  // Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  // Uniform in [0, bound), bound > 0, without bias (Lemire 2019).
  std::uint64_t below(std::uint64_t bound) {
    while (true) {
      const auto product = static_cast<Word128>(next()) * bound;
      const auto low = static_cast<std::uint64_t>(product);
      if (low >= bound || low >= (-bound) % bound) return static_cast<std::uint64_t>(product >> 64);
    }
  }

  // Fisher-Yates.
  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  __extension__ using Word128 = unsigned __int128;
  std::uint64_t state_;
};

}  // namespace relmpi
