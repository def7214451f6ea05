#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "dist/ranks/communicator.h"

namespace relmpi {

// `communicator` is filled when the command runs, so that main can end the other ranks on failure.
void add_strategies_command(CLI::App& app, std::function<int()>& body,
                            std::unique_ptr<Communicator>& communicator);

}  // namespace relmpi
