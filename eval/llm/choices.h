#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/llm/llm.h"

namespace relmpi {

// A context and what may follow it.
struct ChoiceItem {
  std::string source;  // file:line, for errors
  std::string context;
  std::vector<std::string> choices;
  bool labels = false;                 // the choices are single tokens, compared as the next one
  std::optional<std::int64_t> answer;  // the number of the right choice, if known
};

// An item a line: {"context": text, "continuations" or "labels": [texts], "answer": number}. Empty lines are
// left out. Throws InputError naming file and line.
std::vector<ChoiceItem> read_choice_items(const std::filesystem::path& file);

// A choice as tokens: of the context and of what follows it.
struct ChoiceTokens {
  std::vector<std::int32_t> context, continuation;

  std::size_t length() const { return context.size() + continuation.size(); }
};

// The choices of an item. Context and continuation are written together: a token may reach over the border,
// and then belongs to the continuation. Throws InputError naming the item's source: no token of context or
// continuation, a label that is not one token, more tokens than the model's context.
std::vector<ChoiceTokens> encode_choices(const ChoiceItem& item, const LlmFolder& folder);

// What a model says of an item's choices.
struct ChoiceScores {
  std::vector<double> log_likelihoods;  // of the continuations, natural logarithm
  std::vector<std::size_t> tokens;      // of the continuations
  std::vector<bool> greedy;             // whether greedy decoding would have said the same
  std::vector<double> probabilities;    // of the labels, which sum to 1
  double mass = 0;                      // what the labels hold of the whole next-token distribution
  // The choice with the highest score, and with the highest per byte of its text; of labels the same.
  std::size_t best = 0, best_per_byte = 0;
};
ChoiceScores score_item(Llm& llm, const ChoiceItem& item, const std::vector<ChoiceTokens>& choices);

// What is known of labels, or of continuations.
nlohmann::ordered_json to_json(const ChoiceScores& scores);

// Counts of items, to be added over ranks.
struct ChoiceCounts {
  std::int64_t items = 0, answered = 0, right = 0, right_per_byte = 0;

  void add(const ChoiceItem& item, const ChoiceScores& scores);
  double accuracy() const;  // of those with an answer; per_byte: by best_per_byte
  double accuracy_per_byte() const;
};

// The accuracies are left out if no item has an answer.
nlohmann::ordered_json to_json(const ChoiceCounts& counts);

}  // namespace relmpi
