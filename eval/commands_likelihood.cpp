#include "eval/commands_likelihood.h"

#include <algorithm>
#include <optional>

#include "base/files.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/torch_headers.h"
#include "eval/llm_session.h"
#include "model/llm/scoring.h"

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
  std::string context;
  std::vector<std::string> choices;
  bool labels = false;  // the choices are single tokens, compared as the next one
  std::optional<std::int64_t> answer;
};

Item item_of(const json& row, const std::string& place) {
  Item item;
  if (!row.is_object() || !row.contains("context") || !row.at("context").is_string())
    throw InputError("{}: an object with \"context\": a text was expected", place);
  item.context = row.at("context").get<std::string>();
  item.labels = row.contains("labels");
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

using Ids = std::vector<std::int32_t>;

// The tokens of context and continuation written together, and how many of them are the context's own: a
// token may reach over the border, and then belongs to the continuation.
struct Split {
  Ids context, continuation;
};

Split split_tokens(const BpeTokenizer& tokenizer, const std::string& context,
                   const std::string& continuation) {
  const EncodeOptions plain{.special_tokens_in_text = true, .add_special_tokens = true};
  const Ids alone = tokenizer.encode(context, plain), both = tokenizer.encode(context + continuation, plain);
  const auto border = std::mismatch(alone.begin(), alone.end(), both.begin(), both.end()).second;
  return {{both.begin(), border}, {border, both.end()}};
}

std::size_t best_of(const std::vector<double>& scores) {
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

ordered_json score_item(Llm& llm, const Item& item) {
  std::vector<double> sums, per_byte;
  std::vector<std::size_t> tokens;
  std::vector<bool> greedy;
  // Continuations that leave the context's tokens alone share its pass.
  std::map<Ids, std::vector<std::pair<std::size_t, Ids>>> groups;
  for (std::size_t i = 0; i < item.choices.size(); ++i) {
    Split split = split_tokens(llm.tokenizer, item.context, item.choices[i]);
    groups[split.context].emplace_back(i, std::move(split.continuation));
  }
  sums.resize(item.choices.size());
  tokens.resize(item.choices.size());
  greedy.resize(item.choices.size());
  for (const auto& [context, members] : groups) {
    std::vector<Ids> continuations;
    for (const auto& member : members) continuations.push_back(member.second);
    const auto scores = score_continuations(llm, context, continuations);
    for (std::size_t k = 0; k < members.size(); ++k) {
      const std::size_t i = members[k].first;
      sums[i] = scores[k].log_likelihood;
      tokens[i] = scores[k].token_log_p.size();
      greedy[i] = scores[k].greedy;
    }
  }
  for (std::size_t i = 0; i < sums.size(); ++i)
    per_byte.push_back(sums[i] / static_cast<double>(item.choices[i].size()));
  return {{"log_likelihood", sums},
          {"tokens", tokens},
          {"greedy", greedy},
          {"best", best_of(sums)},
          {"best_per_byte", best_of(per_byte)}};
}

ordered_json score_labels(Llm& llm, const Item& item) {
  Ids labels;
  const Ids context =
      llm.tokenizer.encode(item.context, {.special_tokens_in_text = true, .add_special_tokens = true});
  for (const std::string& label : item.choices) {
    const Ids ids = llm.tokenizer.encode(label);
    if (ids.size() != 1)
      throw InputError(
          "the label \"{}\" is {} tokens in this vocabulary; a label must be one (often with a space "
          "before it), or use \"continuations\"",
          label, ids.size());
    labels.push_back(ids[0]);
  }
  const auto distribution = next_token_distribution(llm, context, labels);
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
  LlmSession session(options.session, communicator, [&](const BpeTokenizer& tokenizer) {
    std::size_t longest = 1;
    for (const Item& item : items)
      for (const std::string& choice : item.choices)
        longest = std::max(longest, tokenizer.encode(item.context + choice).size());
    return static_cast<std::int64_t>(longest);
  });
  ordered_json mine = ordered_json::array();
  Progress progress("scoring", static_cast<std::int64_t>(items.size()), communicator->rank() == 0);
  const auto size = static_cast<std::size_t>(communicator->size());
  for (auto i = static_cast<std::size_t>(communicator->rank()); i < items.size(); i += size) {
    ordered_json row{{"index", i}};
    try {
      row.update(items[i].labels ? score_labels(session.llm, items[i]) : score_item(session.llm, items[i]));
    } catch (const InputError& error) {
      throw InputError("{}, item {}: {}", options.items, i + 1, error.what());
    }
    mine.push_back(std::move(row));
    progress.update(static_cast<std::int64_t>(i) + 1);
  }
  progress.clear();
  const auto rows = gather_rows(*communicator, mine);
  if (communicator->rank() != 0) return 0;
  ordered_json document{{"header", session.header(options.session, *communicator)}};
  document.update(summary(rows, items));
  document["rows"] = rows;
  if (!options.out.empty()) {
    create_folder(options.out);
    write_file_atomic(std::filesystem::path(options.out) / "likelihood.json", document.dump(2) + "\n");
  }
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
