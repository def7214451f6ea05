#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "eval/commands/commands.h"
#include "eval/decisions/comparison.h"

namespace relmpi {
namespace {

struct CompareOptions {
  std::string file_a;
  std::string file_b;
  std::string name_a;
  std::string name_b;
  std::uint64_t seed = 0;
  bool json = false;
};

// The policy `name` of a file; without a name, the only policy of the file, or mdp if there are several.
PolicyRows choose_policy(const std::string& file, std::string name, const char* option) {
  std::vector<PolicyRows> policies = group_by_policy(read_item_rows(file));
  std::string names;
  for (const PolicyRows& policy : policies) names += (names.empty() ? "" : ", ") + policy.name;
  if (name.empty()) name = policies.size() == 1 ? policies.front().name : "mdp";
  const auto found = std::find_if(policies.begin(), policies.end(),
                                  [&name](const PolicyRows& policy) { return policy.name == name; });
  if (found == policies.end()) {
    throw InputError("{} has no policy '{}'; choose one with {}: {}", file, name, option, names);
  }
  return std::move(*found);
}

int run_compare(const CompareOptions& options, Invocation&) {
  const PolicyRows a = choose_policy(options.file_a, options.name_a, "--a");
  const PolicyRows b = choose_policy(options.file_b, options.name_b, "--b");
  BootstrapOptions bootstrap_options;
  bootstrap_options.seed = options.seed;
  const Comparison comparison = compare_policies(a, b, bootstrap_options);
  if (options.json) {
    print_json(to_json(comparison));
  } else {
    fmt::print("{}", to_text(ComparisonReport{
                         .policies = {summarise(a, bootstrap_options), summarise(b, bootstrap_options)},
                         .comparisons = {comparison}}));
  }
  return 0;
}

void add_options(CLI::App& app, CompareOptions& options) {
  app.footer(
      "A and B are result files of `strategies` (or .jsonl files with a row a line: policy, item, correct, "
      "...), and may\n"
      "be the same file. Without --a and --b: the only policy of the file, or mdp if it has several.\n"
      "Prints the exact McNemar test, the difference of the accuracies with its paired bootstrap interval, "
      "and the ratio\n"
      "of the costs in tokens.\n\n"
      "Example: relmpi-eval compare results/strategies.json results/strategies.json --a mdp --b fixed-3");
  app.add_option("A", options.file_a, "First result file")->required();
  app.add_option("B", options.file_b, "Second result file")->required();
  app.add_option("--a", options.name_a, "Policy of the first file");
  app.add_option("--b", options.name_b, "Policy of the second file");
  app.add_option("--seed", options.seed, "Seed of the bootstrap")->capture_default_str();
  app.add_flag("--json", options.json, "Print one JSON document on stdout");
}

}  // namespace

void add_compare(Tool& tool) {
  tool.add<CompareOptions>({.name = "compare",
                            .help = "Compare two policies over the same items",
                            .options = &add_options,
                            .run = &run_compare});
}

}  // namespace relmpi
