#include "eval/commands/likelihood.h"

#include <algorithm>
#include <optional>

#include "base/files.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/torch_headers.h"
#include "eval/llm/llm_session.h"
#include "eval/llm/prompts.h"
#include "model/decoding/scoring.h"

namespace relmpi {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

struct LikelihoodOptions {
  LlmSessionOptions session;
  std::string items, out;
  bool json = false;
};

struct Item {
  std::string place;  // file:line
  std::string context;
  std::vector<std::string> choices;
  bool labels = false;  // the choices are single tokens, compared as the next one
  std::optional<std::int64_t> answer;
};

Item item_of(const json& row, const std::string& place) {
  Item item;
  item.place = place;
  if (!row.is_object() || !row.contains("context") || !row.at("context").is_string())
    throw InputError("{}: an object with \"context\": a text was expected", place);
  item.context = row.at("context").get<std::string>();
  item.labels = row.contains("labels");
  if (item.labels && row.contains("continuations"))
    throw InputError("{}: there are \"labels\" and \"continuations\"; one of them was expected", place);
  const char* name = item.labels ? "labels" : "continuations";
  const json list = row.value(name, json());
  if (!list.is_array() || list.empty() ||
      !std::all_of(list.begin(), list.end(), [](const json& one) { return one.is_string(); }))
    throw InputError("{}: \"continuations\" or \"labels\", a list of texts, was expected", place);
  item.choices = list.get<std::vector<std::string>>();
  if (!row.contains("answer")) return item;
  const json& answer = row.at("answer");
  if (!is_whole_number(answer) || answer < 0 || answer >= item.choices.size())
    throw InputError("{}: \"answer\" is {}, but must be 0 to {}, the number of a choice", place,
                     answer.dump(), item.choices.size() - 1);
  item.answer = answer.get<std::int64_t>();
  return item;
}

std::vector<Item> read_items(const std::filesystem::path& file) {
  std::vector<Item> items;
  std::int64_t number = 0;
  for (const std::string& line : read_lines(file)) {
    const std::string place = fmt::format("{}:{}", file.string(), ++number);
    if (line.find_first_not_of(" \t") != std::string::npos)
      items.push_back(item_of(parse_json(line, place), place));
  }
  if (items.empty()) throw InputError("{} has no item", file.string());
  return items;
}

// What all ranks must have read alike.
std::string text_of(const std::vector<Item>& items) {
  ordered_json all = ordered_json::array();
  for (const Item& item : items) all.push_back({item.context, item.choices, item.labels});
  return all.dump();
}

using Ids = std::vector<std::int32_t>;

// A choice as tokens: of the context and of what follows it.
struct Split {
  Ids context, continuation;

  std::size_t length() const { return context.size() + continuation.size(); }
};

constexpr EncodeOptions kText{.add_special_tokens = true};

// Context and continuation are written together: a token may reach over the border, and then belongs to the
// continuation.
Split split_tokens(const BpeTokenizer& tokenizer, const Ids& context, const Item& item,
                   const std::string& continuation) {
  const Ids both = encode_text(tokenizer, item.context + continuation, kText, item.place);
  const auto border = std::mismatch(context.begin(), context.end(), both.begin(), both.end()).second;
  if (border == both.end())
    throw InputError("{}: the continuation \"{}\" is empty: it has no token", item.place, continuation);
  if (border == both.begin())
    throw InputError(
        "{}: no token of the context is left before the continuation \"{}\": their texts join into one "
        "token; "
        "begin the continuation with a space or a newline",
        item.place, continuation);
  return {{both.begin(), border}, {border, both.end()}};
}

Split label_token(const BpeTokenizer& tokenizer, const Ids& context, const Item& item,
                  const std::string& label) {
  const Encoding encoding = tokenizer.encode_fully(label);
  if (encoding.ids.size() != 1 || !encoding.dropped.empty())
    throw InputError(
        "{}: the label \"{}\" is {} tokens in this vocabulary{}; a label must be one (often with a space "
        "before "
        "it), or use \"continuations\"",
        item.place, label, encoding.ids.size(), encoding.dropped.empty() ? "" : ", and some bytes have none");
  return {context, encoding.ids};
}

std::vector<Split> choices_of(const Item& item, const BpeTokenizer& tokenizer, const LlmConfig& config) {
  const Ids context = item.labels ? encode_text(tokenizer, item.context, kText, item.place)
                                  : tokenizer.encode(item.context, kText);
  if (context.empty()) throw InputError("{}: the context is empty: it has no token", item.place);
  std::vector<Split> choices;
  for (const std::string& choice : item.choices) {
    choices.push_back(item.labels ? label_token(tokenizer, context, item, choice)
                                  : split_tokens(tokenizer, context, item, choice));
    // The last token is read from the logits and needs no place.
    if (static_cast<std::int64_t>(choices.back().length()) - 1 > config.max_position_embeddings)
      throw InputError("{}: context and continuation have {} tokens; the model's context is {}", item.place,
                       choices.back().length(), config.max_position_embeddings);
  }
  return choices;
}

std::size_t best_of(const std::vector<double>& scores) {
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

ordered_json score_choices(Llm& llm, const Item& item, const std::vector<Split>& choices) {
  std::vector<double> sums(choices.size()), per_byte(choices.size());
  std::vector<std::size_t> tokens(choices.size());
  std::vector<bool> greedy(choices.size());
  // Continuations that leave the context's tokens alone share its pass.
  std::map<Ids, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < choices.size(); ++i) groups[choices[i].context].push_back(i);
  for (const auto& [context, members] : groups) {
    std::vector<Ids> continuations;
    for (const std::size_t i : members) continuations.push_back(choices[i].continuation);
    const auto scores = score_continuations(llm, context, continuations);
    for (std::size_t k = 0; k < members.size(); ++k) {
      const std::size_t i = members[k];
      sums[i] = scores[k].log_likelihood;
      per_byte[i] = sums[i] / static_cast<double>(item.choices[i].size());
      tokens[i] = choices[i].continuation.size();
      greedy[i] = scores[k].greedy;
    }
  }
  return {{"log_likelihood", sums},
          {"tokens", tokens},
          {"greedy", greedy},
          {"best", best_of(sums)},
          {"best_per_byte", best_of(per_byte)}};
}

ordered_json score_labels(Llm& llm, const std::vector<Split>& choices) {
  Ids labels;
  for (const Split& choice : choices) labels.push_back(choice.continuation.front());
  const auto distribution = next_token_distribution(llm, choices.front().context, labels);
  const std::size_t best = best_of(distribution.probabilities);
  return {{"probabilities", distribution.probabilities},
          {"mass", distribution.mass},
          {"best", best},
          {"best_per_byte", best}};
}

ordered_json summary(const ordered_json& rows, const std::vector<Item>& items) {
  std::int64_t answered = 0, right = 0, right_per_byte = 0;
  for (const auto& row : rows) {
    const Item& item = items[row["index"].get<std::size_t>()];
    if (!item.answer) continue;
    ++answered;
    right += row["best"].get<std::int64_t>() == *item.answer;
    right_per_byte += row["best_per_byte"].get<std::int64_t>() == *item.answer;
  }
  ordered_json out{{"items", items.size()}, {"answered", answered}};
  if (answered == 0) return out;
  out["accuracy"] = static_cast<double>(right) / static_cast<double>(answered);
  out["accuracy_per_byte"] = static_cast<double>(right_per_byte) / static_cast<double>(answered);
  return out;
}

int run_likelihood(const LikelihoodOptions& options, std::unique_ptr<Communicator>& communicator) {
  const auto items = read_items(options.items);
  const auto file = result_file(options.out, "likelihood.json");
  std::vector<std::vector<Split>> choices;
  const auto encode_all = [&](const LlmFolder& folder) {
    std::size_t longest = 1;
    for (const Item& item : items) {
      choices.push_back(choices_of(item, folder.tokenizer, folder.config));
      for (const Split& choice : choices.back()) longest = std::max(longest, choice.length());
    }
    return Workload{1, static_cast<std::int64_t>(longest)};
  };
  LlmSession session(options.session, communicator, text_of(items), encode_all);
  ordered_json mine = ordered_json::array();
  Progress progress("scoring", static_cast<std::int64_t>(items.size()), communicator->rank() == 0);
  const auto size = static_cast<std::size_t>(communicator->size());
  for (auto i = static_cast<std::size_t>(communicator->rank()); i < items.size(); i += size) {
    ordered_json row{{"index", i}};
    row.update(items[i].labels ? score_labels(session.llm, choices[i])
                               : score_choices(session.llm, items[i], choices[i]));
    mine.push_back(std::move(row));
    progress.update(static_cast<std::int64_t>(i) + 1);
  }
  progress.clear();
  const auto rows = gather_rows(*communicator, mine);
  if (communicator->rank() != 0) return 0;
  ordered_json document{{"header", session.header(options.session, *communicator)}};
  document.update(summary(rows, items));
  document["rows"] = rows;
  if (!file.empty()) write_file_atomic(file, document.dump(2) + "\n");
  if (options.json)
    fmt::print("{}\n", document.dump());
  else if (document.contains("accuracy"))
    fmt::print("{} of {} items have an answer: accuracy {:.4f}, by log-likelihood per byte {:.4f}\n",
               document["answered"].get<std::int64_t>(), items.size(), document["accuracy"].get<double>(),
               document["accuracy_per_byte"].get<double>());
  else
    for (const auto& row : rows) fmt::print("{}\n", row.dump());
  return 0;
}

}  // namespace

void add_likelihood_command(CLI::App& app, std::function<int()>& body,
                            std::unique_ptr<Communicator>& communicator) {
  auto options = std::make_shared<LikelihoodOptions>();
  CLI::App* sub = app.add_subcommand(
      "likelihood", "log-likelihoods of given continuations under a decoder LLM (also under mpirun)");
  options->session.add_to(*sub);
  sub->add_option("--items", options->items, "JSON lines, see below")->required();
  sub->add_option("--out", options->out, "folder for likelihood.json");
  sub->add_flag("--json", options->json, "print one JSON document");
  sub->footer(
      "An item is a line {\"context\": text, \"continuations\": [texts], \"answer\": number of the right "
      "one}, the answer\n"
      "if known: it gets the log-likelihood of each continuation after the context, natural logarithm; "
      "\"best\" has\n"
      "the highest sum, \"best_per_byte\" the highest sum per byte of its text. With \"labels\" in place of\n"
      "\"continuations\", texts of one token each, it gets their shares of the next token's distribution.\n\n"
      "Example: relmpi-eval likelihood --model Qwen3-0.6B --items questions.jsonl --json");
  sub->callback([options, &body, &communicator] {
    body = [options, &communicator] { return run_likelihood(*options, communicator); };
  });
}

}  // namespace relmpi
