#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace relmpi {

// The commands of relmpi-eval that need no model. Each adds a subcommand; where the user calls it, `body` is
// set to what runs after the command line was read.
void add_mdp_command(CLI::App& app, std::function<int()>& body);
void add_score_command(CLI::App& app, std::function<int()>& body);
void add_compare_command(CLI::App& app, std::function<int()>& body);

}  // namespace relmpi
