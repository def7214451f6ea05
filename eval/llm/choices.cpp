#include "eval/llm/choices.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/units.h"
#include "eval/llm/prompts.h"
#include "model/decoding/scoring.h"

namespace relmpi {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using Ids = std::vector<std::int32_t>;

ChoiceItem item_of(const json& row, const std::string& source) {
  ChoiceItem item;
  item.source = source;
  if (!row.is_object() || !row.contains("context") || !row.at("context").is_string())
    throw InputError("{}: an object with \"context\": a text was expected", source);
  item.context = row.at("context").get<std::string>();
  item.labels = row.contains("labels");
  if (item.labels && row.contains("continuations"))
    throw InputError("{}: both \"labels\" and \"continuations\" are given; give one of them", source);
  const char* name = item.labels ? "labels" : "continuations";
  const json list = row.value(name, json());
  if (!list.is_array() || list.empty() ||
      !std::all_of(list.begin(), list.end(), [](const json& one) { return one.is_string(); }))
    throw InputError("{}: \"continuations\" or \"labels\", a list of texts, was expected", source);
  item.choices = list.get<std::vector<std::string>>();
  if (!row.contains("answer")) return item;
  const json& answer = row.at("answer");
  if (!is_whole_number(answer) || answer < 0 || answer >= item.choices.size())
    throw InputError("{}: \"answer\" is {}, but must be 0 to {}, the number of a choice", source,
                     answer.dump(), item.choices.size() - 1);
  item.answer = answer.get<std::int64_t>();
  return item;
}

constexpr EncodeOptions kText{.add_special_tokens = true};

ChoiceTokens split_tokens(const BpeTokenizer& tokenizer, const Ids& context, const ChoiceItem& item,
                          const std::string& continuation) {
  const Ids both = encode_text(tokenizer, item.context + continuation, kText, item.source);
  const auto border = std::mismatch(context.begin(), context.end(), both.begin(), both.end()).second;
  if (border == both.end())
    throw InputError("{}: the continuation \"{}\" is empty: it has no token", item.source, continuation);
  if (border == both.begin())
    throw InputError(
        "{}: no token of the context is left before the continuation \"{}\": their texts join into one "
        "token; "
        "begin the continuation with a space or a newline",
        item.source, continuation);
  return {{both.begin(), border}, {border, both.end()}};
}

ChoiceTokens label_token(const BpeTokenizer& tokenizer, const Ids& context, const ChoiceItem& item,
                         const std::string& label) {
  const Encoding encoding = tokenizer.encode_fully(label);
  if (encoding.ids.size() != 1 || !encoding.dropped.empty())
    throw InputError(
        "{}: the label \"{}\" is {} tokens in this vocabulary{}; a label must be one (often with a space "
        "before "
        "it), or use \"continuations\"",
        item.source, label, encoding.ids.size(),
        encoding.dropped.empty() ? "" : ", and some bytes have none");
  return {context, encoding.ids};
}

std::size_t best_of(const std::vector<double>& scores) {
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

// Continuations that leave the context's tokens alone share its pass.
void score_continuations_of(Llm& llm, const std::vector<ChoiceTokens>& choices, ChoiceScores& out) {
  std::map<Ids, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < choices.size(); ++i) groups[choices[i].context].push_back(i);
  out.log_likelihoods.resize(choices.size());
  out.tokens.resize(choices.size());
  out.greedy.resize(choices.size());
  for (const auto& [context, members] : groups) {
    std::vector<Ids> continuations;
    for (const std::size_t i : members) continuations.push_back(choices[i].continuation);
    const auto scores = score_continuations(llm, context, continuations);
    for (std::size_t k = 0; k < members.size(); ++k) {
      const std::size_t i = members[k];
      out.log_likelihoods[i] = scores[k].log_likelihood;
      out.tokens[i] = choices[i].continuation.size();
      out.greedy[i] = scores[k].greedy;
    }
  }
}

}  // namespace

std::vector<ChoiceItem> read_choice_items(const std::filesystem::path& file) {
  std::vector<ChoiceItem> items;
  std::int64_t number = 0;
  for (const std::string& line : read_lines(file)) {
    const std::string source = fmt::format("{}:{}", file.string(), ++number);
    if (line.find_first_not_of(" \t") != std::string::npos)
      items.push_back(item_of(parse_json(line, source), source));
  }
  if (items.empty()) throw InputError("{} has no item", file.string());
  return items;
}

std::vector<ChoiceTokens> encode_choices(const ChoiceItem& item, const LlmFolder& folder) {
  const BpeTokenizer& tokenizer = folder.tokenizer;
  const Ids context = item.labels ? encode_text(tokenizer, item.context, kText, item.source)
                                  : tokenizer.encode(item.context, kText);
  if (context.empty()) throw InputError("{}: the context is empty: it has no token", item.source);
  std::vector<ChoiceTokens> choices;
  for (const std::string& choice : item.choices) {
    choices.push_back(item.labels ? label_token(tokenizer, context, item, choice)
                                  : split_tokens(tokenizer, context, item, choice));
    // The last token is read from the logits and needs no place.
    if (static_cast<std::int64_t>(choices.back().length()) - 1 > folder.config.max_position_embeddings)
      throw InputError("{}: context and continuation have {} tokens; the model's context is {}", item.source,
                       choices.back().length(), folder.config.max_position_embeddings);
  }
  return choices;
}

ChoiceScores score_item(Llm& llm, const ChoiceItem& item, const std::vector<ChoiceTokens>& choices) {
  ChoiceScores out;
  if (item.labels) {
    Ids labels;
    for (const ChoiceTokens& choice : choices) labels.push_back(choice.continuation.front());
    LabelDistribution distribution = next_token_distribution(llm, choices.front().context, labels);
    out.probabilities = std::move(distribution.probabilities);
    out.mass = distribution.mass;
    out.best = out.best_per_byte = best_of(out.probabilities);
    return out;
  }
  score_continuations_of(llm, choices, out);
  std::vector<double> per_byte;
  for (std::size_t i = 0; i < choices.size(); ++i)
    per_byte.push_back(out.log_likelihoods[i] / static_cast<double>(item.choices[i].size()));
  out.best = best_of(out.log_likelihoods);
  out.best_per_byte = best_of(per_byte);
  return out;
}

ordered_json to_json(const ChoiceScores& scores) {
  ordered_json out;
  if (!scores.probabilities.empty())
    out = {{"probabilities", scores.probabilities}, {"mass", scores.mass}};
  else
    out = {{"log_likelihood", scores.log_likelihoods}, {"tokens", scores.tokens}, {"greedy", scores.greedy}};
  out["best"] = scores.best;
  out["best_per_byte"] = scores.best_per_byte;
  return out;
}

void ChoiceCounts::add(const ChoiceItem& item, const ChoiceScores& scores) {
  ++items;
  if (!item.answer) return;
  const auto answer = static_cast<std::size_t>(*item.answer);
  ++answered;
  right += scores.best == answer ? 1 : 0;
  right_per_byte += scores.best_per_byte == answer ? 1 : 0;
}

double ChoiceCounts::accuracy() const { return ratio(right, answered); }
double ChoiceCounts::accuracy_per_byte() const { return ratio(right_per_byte, answered); }

ordered_json to_json(const ChoiceCounts& counts) {
  ordered_json out{{"items", counts.items}, {"answered", counts.answered}};
  if (counts.answered == 0) return out;
  out["accuracy"] = counts.accuracy();
  out["accuracy_per_byte"] = counts.accuracy_per_byte();
  return out;
}

}  // namespace relmpi
