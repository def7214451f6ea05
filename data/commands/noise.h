#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace relmpi {

// Adds the subcommand noise, which sets `body` when it is chosen.
void add_noise_command(CLI::App& app, std::function<int()>& body);

}  // namespace relmpi
