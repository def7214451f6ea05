#include "eval/commands/mdp.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/error.h"
#include "eval/csc/metrics.h"
#include "eval/decisions/comparison.h"
#include "eval/decisions/mdp.h"

namespace relmpi {
namespace {

constexpr int kDone = static_cast<int>(Exit::kDone);

void print_json(const nlohmann::ordered_json& json) { fmt::print("{}\n", json.dump()); }

struct MdpCommand {
  MdpOptions options;
  std::string reward = "linear";
  std::string projection = "linear";
  bool json = false;
};

void add_mdp_options(CLI::App& command, MdpCommand& target) {
  const auto add = [&command](const char* name, auto& value, const char* help) {
    command.add_option(name, value, help)->capture_default_str();
  };
  MdpOptions& options = target.options;
  add("--delta-retrieve", options.delta_retrieve, "Progress of a successful retrieval, >= 0");
  add("--delta-reason", options.delta_reason, "Progress of a reasoning step, >= 0");
  add("--success", options.success, "Probability that a retrieval succeeds, in [0, 1]");
  add("--cost-retrieve", options.cost_retrieve, "Cost of a retrieval, >= 0");
  add("--cost-reason", options.cost_reason, "Cost of a reasoning step, >= 0");
  add("--mu", options.mu, "Price of a unit of cost in units of reward, >= 0");
  add("--gamma", options.gamma, "Discount of what follows a step, in (0, 1]");
  add("--grid", options.grid, "Points of the grid over U, at least 2");
  add("--reward", target.reward, "Reward of stopping: linear, sqrt, saturating, sigmoid");
  add("--reward-k", options.reward_k, "Steepness k of saturating and sigmoid, > 0");
  add("--projection", target.projection, "Steps that end between grid points: linear, nearest");
  add("--tolerance", options.tolerance, "Where value iteration stops, > 0");
  command.add_flag("--json", target.json, "Print one JSON document on stdout");
}

int run_mdp(MdpCommand& command) {
  command.options.reward = reward_of(command.reward);
  command.options.projection = projection_of(command.projection);
  const MdpReport report = solve_mdp(command.options);
  if (command.json) {
    print_json(to_json(report));
  } else {
    fmt::print("{}", to_text(report));
  }
  return kDone;
}

struct ScoreOptions {
  std::string triples;
  bool json = false;
};

int run_score(const ScoreOptions& options) {
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
  return kDone;
}

struct CompareOptions {
  std::string file_a;
  std::string file_b;
  std::string name_a;
  std::string name_b;
  std::uint64_t seed = 0;
  bool json = false;
};

// The policy `name` of a file; without a name, the only policy of the file, or mdp where there are several.
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

int run_compare(const CompareOptions& options) {
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
  return kDone;
}

}  // namespace

void add_mdp_command(CLI::App& app, std::function<int()>& body) {
  auto* command = app.add_subcommand("mdp", "Solve the retrieve / reason / terminate decision process");
  command->footer(
      "Progress U runs from 0 to 1. retrieve adds --delta-retrieve with probability --success, reason adds\n"
      "--delta-reason, each step costs --mu times its cost, and terminate pays the reward of U:\n"
      "  linear      U\n"
      "  sqrt        square root of U\n"
      "  saturating  1 - exp(-k U)\n"
      "  sigmoid     1 / (1 + exp(-k (U - 0.5)))\n"
      "A step that ends between two grid points: linear projection interpolates the value there, nearest "
      "takes the\n"
      "nearest point (ties to the lower one). Value iteration runs until no value moves by --tolerance; "
      "policy\n"
      "iteration then makes the values exact. The two-threshold summary (retrieve below theta_continue, "
      "reason\n"
      "below theta*, terminate from there on) comes with its regret, since it is not always optimal.\n\n"
      "Example: relmpi-eval mdp --success 0.9 --reward sqrt --json");
  auto options = std::make_shared<MdpCommand>();
  add_mdp_options(*command, *options);
  command->callback([options, &body] { body = [options] { return run_mdp(*options); }; });
}

void add_score_command(CLI::App& app, std::function<int()>& body) {
  auto* command = app.add_subcommand("score", "Score the corrections of any program, by sentence");
  command->footer(
      "A line of the file is: source TAB target TAB prediction. Spaces only separate characters and are "
      "dropped.\n"
      "Source and target have one length; a prediction of another length counts as changed and wrong.\n"
      "  correction  right: the prediction is the target\n"
      "  detection   right: the changed positions are the wrong positions\n"
      "precision = right / changed; recall = right / sentences with errors; FPR = changed / sentences "
      "without errors;\n"
      "WPR = changed but not right / sentences with errors.\n\n"
      "Example: relmpi-eval score --triples predictions.tsv --json");
  auto options = std::make_shared<ScoreOptions>();
  command->add_option("--triples", options->triples, "File of source TAB target TAB prediction lines")
      ->required();
  command->add_flag("--json", options->json, "Print one JSON document on stdout");
  command->callback([options, &body] { body = [options] { return run_score(*options); }; });
}

void add_compare_command(CLI::App& app, std::function<int()>& body) {
  auto* command = app.add_subcommand("compare", "Compare two policies over the same items");
  command->footer(
      "A and B are result files of `strategies` (or .jsonl files with a row a line: policy, item, correct, "
      "...), and may\n"
      "be the same file. Without --a and --b: the only policy of the file, or mdp where it has several.\n"
      "Prints the exact McNemar test, the difference of the accuracies with its paired bootstrap interval, "
      "and the ratio\n"
      "of the costs in tokens.\n\n"
      "Example: relmpi-eval compare results/strategies.json results/strategies.json --a mdp --b fixed-3");
  auto options = std::make_shared<CompareOptions>();
  command->add_option("A", options->file_a, "First result file")->required();
  command->add_option("B", options->file_b, "Second result file")->required();
  command->add_option("--a", options->name_a, "Policy of the first file");
  command->add_option("--b", options->name_b, "Policy of the second file");
  command->add_option("--seed", options->seed, "Seed of the bootstrap")->capture_default_str();
  command->add_flag("--json", options->json, "Print one JSON document on stdout");
  command->callback([options, &body] { body = [options] { return run_compare(*options); }; });
}

}  // namespace relmpi
