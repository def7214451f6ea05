#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace relmpi {

// How the next token is chosen. Names, meanings and order are those of Hugging Face's generate(): repetition
// penalty, temperature, top-k, top-p, min-p. The defaults are not: nothing is filtered unless it is asked
// for.
struct SamplingOptions {
  double temperature = 0;  // 0 = greedy: the most probable token, the first one if several are
  std::int64_t top_k = 0;  // only the k most probable, and those equal to the last of them; 0 = all
  double top_p = 1;        // only the fewest that hold this share of the probability
  double min_p = 0;        // only those with at least this share of the greatest probability
  double repetition_penalty =
      1;  // logits of tokens that the text already has: divided by it, or, below 0, times it

  bool greedy() const { return temperature == 0; }
  // Throws InputError naming the option.
  void validate() const;
};

// The next token of a text. `logits` (V) are changed. `history`: ids of prompt and answer so far. `uniform`
// in [0, 1) decides. Throws RuntimeError for logits that are not finite.
std::int32_t choose_token(std::span<float> logits, std::span<const std::int32_t> history,
                          const SamplingOptions& options, double uniform);

struct Candidate {
  std::int32_t token;
  double probability;
};

// The tokens that may come next, in the order of their ids, and their probabilities, which sum to 1; for
// temperature > 0. Throws RuntimeError for logits that are not finite.
std::vector<Candidate> candidates(std::span<float> logits, std::span<const std::int32_t> history,
                                  const SamplingOptions& options);

[[noreturn]] void logits_not_finite();

}  // namespace relmpi
