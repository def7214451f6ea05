#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/loader/sentence_groups.h"
#include "model/dgca/predictor.h"

namespace relmpi {

using SentenceView = std::span<const std::int32_t>;

// One character that a pass would change.
struct Change {
  std::int32_t position = 0;
  std::int32_t id = 0;
  float margin = 0;  // log p(id) - log p(character as it is)
  float d = 1;       // detector's probability of an error
  float alpha = 1;   // gate
};

// What one pass says of one sentence.
struct Proposal {
  std::vector<Change> changes;      // by position
  std::vector<float> source_log_p;  // (n) log p of each character as it is
  std::vector<float> best_log_p;    // (n) log p of each character's best answer
};

bool accepts(const DecisionThresholds& thresholds, const Change& change);

// The sentence with the accepted changes made, as ids and as text.
SentenceIds with_changes(SentenceIds source, const std::vector<Change>& changes,
                         const DecisionThresholds& thresholds);
std::u32string with_changes(std::u32string source, const std::vector<Change>& changes,
                            const DecisionThresholds& thresholds, const Vocabulary& vocabulary);

// Sum over characters of log p(character as decided).
double log_confidence(const Proposal& proposal, const DecisionThresholds& thresholds);

// Runs passes of a model over lists of sentences. The result for a sentence is a function of the list it is
// in, not of the rank that runs it, so callers that need equal bytes at any number of ranks keep their lists
// fixed.
class Corrector {
 public:
  explicit Corrector(const Predictor& predictor);

  // One pass over all sentences as one batch. None may be empty or longer than the model takes.
  std::vector<Proposal> propose(const std::vector<SentenceView>& sentences, Gating gating) const;
  std::vector<Proposal> propose(const std::vector<SentenceIds>& sentences, Gating gating) const {
    return propose(std::vector<SentenceView>(sentences.begin(), sentences.end()), gating);
  }
  // The same with the losses against `targets`: adds (4) sums and counts.
  std::vector<Proposal> propose(const std::vector<SentenceView>& sentences,
                                const std::vector<SentenceView>& targets, at::Tensor& sums,
                                LossCounts& counts) const;

  std::int64_t longest() const { return model().config.max_characters(); }  // characters of a sentence
  bool fits(const SentenceIds& sentence) const { return std::ssize(sentence) <= longest(); }
  std::int64_t forward_tokens(const SentenceIds& sentence) const;  // slots of one pass: 2n + 2P
  const Model& model() const { return predictor_.model(); }

 private:
  const Predictor& predictor_;
  InputBuilder builder_;
};

}  // namespace relmpi
