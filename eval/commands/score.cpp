#include <fmt/format.h>

#include <chrono>

#include "base/json.h"
#include "eval/commands/commands.h"
#include "eval/csc/metrics.h"

namespace relmpi {
namespace {

struct ScoreOptions {
  std::string triples;
  bool json = false;
};

int run_score(const ScoreOptions& options, Invocation&) {
  const auto start = std::chrono::steady_clock::now();
  CscMetrics metrics;
  for (const Triple& triple : read_triples(options.triples)) metrics.add(triple);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (options.json) {
    auto json = to_json(metrics);
    json["seconds"] = seconds.count();
    print_json(json);
  } else {
    fmt::print("{}", to_text(metrics));
  }
  return 0;
}

void add_options(CLI::App& app, ScoreOptions& options) {
  app.footer(
      "A line of the file is: source TAB target TAB prediction. Spaces only separate characters and are "
      "dropped.\n"
      "Source and target have one length; a prediction of another length counts as changed and wrong.\n"
      "  correction  right: the prediction is the target\n"
      "  detection   right: the changed positions are the wrong positions\n"
      "precision = right / changed; recall = right / sentences with errors; FPR = changed / sentences "
      "without errors;\n"
      "WPR = changed but not right / sentences with errors.\n\n"
      "Example: relmpi-eval score --triples predictions.tsv --json");
  app.add_option("--triples", options.triples, "File of source TAB target TAB prediction lines")->required();
  app.add_flag("--json", options.json, "Print one JSON document on stdout");
}

}  // namespace

void add_score(Tool& tool) {
  tool.add<ScoreOptions>({.name = "score",
                          .help = "Score the corrections of any program, by sentence",
                          .options = &add_options,
                          .run = &run_score});
}

}  // namespace relmpi
