#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/random.h"
#include "data/spelling/confusion.h"

namespace relmpi {

using ErrorMix = std::array<double, kErrorKinds>;
constexpr ErrorMix kDefaultMix = {.4, .3, .2, .1};  // same sound, similar sound, similar shape, frequent

struct NoiseOptions {
  double mean_errors = 1.5;    // mean of the Poisson number of errors of a sentence that is not left clean
  double clean = .15;          // probability that a sentence is left as it is
  ErrorMix mix = kDefaultMix;  // shares of the kinds of error, scaled to the kinds that a character has
  bool at_least_one = false;   // a sentence that is not left clean gets one error or more
  std::uint64_t seed = 0;

  void validate() const;  // throws InputError
};

// How writers err, one character at a time: P(written x | meant y, an error happened). A kind is drawn by
// `mix` among the kinds that y has, then x from y's list of that kind with weight sqrt(count of x) (1 if
// it was not counted).
class NoiseChannel {
 public:
  // Only characters for which `allowed` holds are written (null: all). Throws InputError for a mix with a
  // negative or no positive share.
  NoiseChannel(const ConfusionSet& confusion, const ErrorMix& mix,
               const std::function<bool(char32_t)>& allowed = nullptr);

  // Whether an error can happen here: a Chinese character that has a replacement.
  bool can_err(char32_t meant) const;

  // One error. `meant` must be a character that can_err().
  std::pair<char32_t, ErrorKind> draw(char32_t meant, Random& random) const;

  // All x with their probabilities (sum 1), in order of code point; empty if no error can happen.
  std::vector<std::pair<char32_t, double>> probabilities(char32_t meant) const;

  // The same without the frequent characters, whose part is a rank-one term that inverting the channel treats
  // apart: P(x | y) = listed(x | y) + frequent_share(y) * frequent_weight(x) / (frequent_total() -
  // frequent_weight(y)), x != y.
  std::vector<std::pair<char32_t, double>> listed_probabilities(char32_t meant) const;
  double frequent_share(char32_t meant) const;
  double frequent_weight(char32_t character) const;
  double frequent_total() const;

 private:
  // Characters with the running sums of their integer weights, so that a draw is one binary search.
  struct Weighted {
    std::vector<char32_t> characters;
    std::vector<std::uint64_t> sums;
    std::uint64_t total() const { return sums.empty() ? 0 : sums.back(); }
    std::uint64_t weight(std::size_t i) const { return i == 0 ? sums[0] : sums[i] - sums[i - 1]; }
    std::size_t at(std::uint64_t point) const;  // the first i with sums[i] > point
  };
  using Kinds = std::array<Weighted, kErrorKinds - 1>;

  Weighted weigh(const ConfusionSet& confusion, const std::vector<char32_t>& list, char32_t without,
                 const std::function<bool(char32_t)>& allowed) const;
  // Probability of each kind for this character; all 0 if no error can happen.
  ErrorMix shares(char32_t meant) const;

  ErrorMix mix_;
  std::unordered_map<char32_t, Kinds> lists_;
  Weighted frequent_;
  std::unordered_map<char32_t, std::size_t> frequent_place_;
};

struct NoisySentence {
  std::u32string source;                           // as written, of the same length
  std::array<std::int64_t, kErrorKinds> errors{};  // by kind
  bool left_clean = false;                         // by the draw for `clean`
};

// Puts spelling errors into right sentences. What a sentence gets is a function of (seed, copy, index) alone.
class Noise {
 public:
  Noise(const ConfusionSet& confusion, const NoiseOptions& options,
        const std::function<bool(char32_t)>& allowed = nullptr);

  // A Poisson number of errors (at most one a position) at distinct positions that can_err(), drawn evenly.
  NoisySentence apply(const std::u32string& target, std::int64_t copy, std::int64_t index) const;

 private:
  NoiseOptions options_;
  NoiseChannel channel_;
};

// A Poisson number by inversion of its distribution function; `at_least_one`: given that it is not 0.
std::int64_t poisson(double mean, bool at_least_one, Random& random);

}  // namespace relmpi
