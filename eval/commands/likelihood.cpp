#include <algorithm>
#include <array>

#include "base/files.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/torch_headers.h"
#include "dist/ranks/share.h"
#include "eval/commands/commands.h"
#include "eval/llm/choices.h"
#include "eval/llm/llm_session.h"

namespace relmpi {
namespace {

using nlohmann::ordered_json;

struct LikelihoodOptions {
  LlmSessionOptions session;
  std::string items, out;
  bool json = false;
};

// What all ranks must have read alike.
std::string text_of(const std::vector<ChoiceItem>& items) {
  ordered_json all = ordered_json::array();
  for (const ChoiceItem& item : items) all.push_back({item.context, item.choices, item.labels});
  return all.dump();
}

ChoiceCounts over_ranks(const ChoiceCounts& mine, Communicator& communicator) {
  std::array<std::int64_t, 4> counts{mine.items, mine.answered, mine.right, mine.right_per_byte};
  add_up(communicator, counts);
  return {.items = counts[0], .answered = counts[1], .right = counts[2], .right_per_byte = counts[3]};
}

int run_likelihood(const LikelihoodOptions& options, Invocation& invocation) {
  const auto items = read_choice_items(options.items);
  const auto file = result_file(options.out, "likelihood.json");
  std::vector<std::vector<ChoiceTokens>> choices;
  const auto encode_all = [&](const LlmFolder& folder) {
    std::size_t longest = 1;
    for (const ChoiceItem& item : items) {
      choices.push_back(encode_choices(item, folder));
      for (const ChoiceTokens& choice : choices.back()) longest = std::max(longest, choice.length());
    }
    return Workload{1, static_cast<std::int64_t>(longest)};
  };
  LlmSession session(options.session, invocation, "items", text_of(items), encode_all);
  Communicator& ranks = session.job.ranks();
  std::vector<NumberedLine> mine;
  ChoiceCounts counts;
  Progress progress("scoring", std::ssize(items), session.job.is_first());
  for (Share share(ranks, std::ssize(items)); const auto next = share.next();) {
    const auto i = static_cast<std::size_t>(*next);
    const ChoiceScores scores = score_item(session.llm, items[i], choices[i]);
    counts.add(items[i], scores);
    ordered_json row{{"index", i}};
    row.update(to_json(scores));
    mine.push_back({*next, row.dump()});
    progress.update(*next + 1);
  }
  progress.clear();
  const auto rows = gather_lines(ranks, mine);
  counts = over_ranks(counts, ranks);
  if (!session.job.is_first()) return 0;
  ordered_json document{{"header", session.header(options.session)}};
  document.update(to_json(counts));
  for (const NumberedLine& row : rows) document["rows"].push_back(ordered_json::parse(row.line));
  if (!file.empty()) {
    create_folder(options.out);
    write_file_atomic(file, document.dump(2) + "\n");
  }
  if (options.json)
    print_json(document);
  else if (counts.answered > 0)
    fmt::print("{} of {} items have an answer: accuracy {:.4f}, by log-likelihood per byte {:.4f}\n",
               counts.answered, counts.items, counts.accuracy(), counts.accuracy_per_byte());
  else
    for (const NumberedLine& row : rows) fmt::print("{}\n", row.line);
  return 0;
}

void add_options(CLI::App& app, LikelihoodOptions& options) {
  options.session.add_to(app);
  app.add_option("--items", options.items, "JSON lines, see below")->required();
  app.add_option("--out", options.out, "folder for likelihood.json");
  app.add_flag("--json", options.json, "print one JSON document");
  app.footer(
      "An item is a line {\"context\": text, \"continuations\": [texts], \"answer\": number of the right "
      "one}, the answer\n"
      "if known: it gets the log-likelihood of each continuation after the context, natural logarithm; "
      "\"best\" has\n"
      "the highest sum, \"best_per_byte\" the highest sum per byte of its text. With \"labels\" in place of\n"
      "\"continuations\", texts of one token each, it gets their shares of the next token's distribution.\n\n"
      "Example: relmpi-eval likelihood --model Qwen3-0.6B --items questions.jsonl --json");
}

}  // namespace

void add_likelihood(Tool& tool) {
  tool.add<LikelihoodOptions>(
      {.name = "likelihood",
       .help = "log-likelihoods of given continuations under a decoder LLM (also under mpirun)",
       .options = &add_options,
       .run = &run_likelihood});
}

}  // namespace relmpi
