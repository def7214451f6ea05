#include "eval/decisions/mdp.h"

#include <fmt/format.h>

#include "base/json.h"
#include "eval/commands/commands.h"

namespace relmpi {
namespace {

struct MdpCommand {
  MdpOptions options;
  std::string reward = "linear";
  std::string projection = "linear";
  bool json = false;
};

int run_mdp(const MdpCommand& command, Invocation&) {
  MdpOptions options = command.options;
  options.reward = reward_of(command.reward);
  options.projection = projection_of(command.projection);
  const MdpReport report = solve_mdp(options);
  if (command.json) {
    print_json(to_json(report));
  } else {
    fmt::print("{}", to_text(report));
  }
  return 0;
}

void add_options(CLI::App& app, MdpCommand& command) {
  app.footer(
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
  const auto add = [&app](const char* name, auto& value, const char* help) {
    app.add_option(name, value, help)->capture_default_str();
  };
  MdpOptions& options = command.options;
  add("--delta-retrieve", options.delta_retrieve, "Progress of a successful retrieval, >= 0");
  add("--delta-reason", options.delta_reason, "Progress of a reasoning step, >= 0");
  add("--success", options.success, "Probability that a retrieval succeeds, in [0, 1]");
  add("--cost-retrieve", options.cost_retrieve, "Cost of a retrieval, >= 0");
  add("--cost-reason", options.cost_reason, "Cost of a reasoning step, >= 0");
  add("--mu", options.mu, "Price of a unit of cost in units of reward, >= 0");
  add("--gamma", options.gamma, "Discount of what follows a step, in (0, 1]");
  add("--grid", options.grid, "Points of the grid over U, at least 2");
  add("--reward", command.reward, "Reward of stopping: linear, sqrt, saturating, sigmoid");
  add("--reward-k", options.reward_k, "Steepness k of saturating and sigmoid, > 0");
  add("--projection", command.projection, "Steps that end between grid points: linear, nearest");
  add("--tolerance", options.tolerance, "Value iteration stops when no value moves by more, > 0");
  app.add_flag("--json", command.json, "Print one JSON document on stdout");
}

}  // namespace

void add_mdp(Tool& tool) {
  tool.add<MdpCommand>({.name = "mdp",
                        .help = "Solve the retrieve / reason / terminate decision process",
                        .options = &add_options,
                        .run = &run_mdp});
}

}  // namespace relmpi
