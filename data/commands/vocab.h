#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace relmpi {

// Adds vocab, confusion, noise and tokenize. The chosen one sets `body`, which does the work and returns the
// exit code.
void add_text_commands(CLI::App& app, std::function<int()>& body);

}  // namespace relmpi
