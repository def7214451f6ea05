#pragma once

#include <cstdint>
#include <vector>

#include "model/llm/llm.h"

namespace relmpi {

struct ContinuationScore {
  double log_likelihood = 0;        // sum of log p(token | what stands before it), natural logarithm
  std::vector<double> token_log_p;  // of each token
  bool greedy = true;               // whether greedy decoding would have said the same
};

// How probable each continuation is after the context; the context is run once. Throws InputError for an
// empty context or continuation, and for more tokens than the model's context; RuntimeError for logits that
// are not finite.
std::vector<ContinuationScore> score_continuations(
    Llm& llm, const std::vector<std::int32_t>& context,
    const std::vector<std::vector<std::int32_t>>& continuations);

struct LabelDistribution {
  std::vector<double> probabilities;  // of the labels, which sum to 1
  double mass = 0;                    // what the labels hold of the whole next-token distribution
};

// The next token after the context, among labels. Throws InputError for no labels, one that is given twice or
// outside the vocabulary; RuntimeError for logits that are not finite.
LabelDistribution next_token_distribution(Llm& llm, const std::vector<std::int32_t>& context,
                                          const std::vector<std::int32_t>& labels);

}  // namespace relmpi
