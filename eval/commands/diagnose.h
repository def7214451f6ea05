#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "dist/ranks/communicator.h"

namespace relmpi {

// Adds `diagnose`; `body` becomes what it does, `communicator` the ranks it starts.
void add_diagnose_command(CLI::App& app, std::function<int()>& body,
                          std::unique_ptr<Communicator>& communicator);

}  // namespace relmpi
