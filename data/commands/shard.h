#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace relmpi {

// Adds shard, inspect and bench. The chosen one sets `body`, which does the work and returns the exit code.
void add_shard_commands(CLI::App& app, std::function<int()>& body);

}  // namespace relmpi
