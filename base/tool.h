#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

namespace relmpi {

// Parses the command line and runs `body`, which returns the exit code. Turns every way to end into the exit
// codes of base/error.h: a wrong option or an InputError is 2, any other exception 1. The last line on stderr
// says what happened. `on_failure`, where given, is called with that line before the return (a rank ends its
// peers there).
int run_tool(CLI::App& app, int argc, char** argv, const std::function<int()>& body,
             const std::function<void(const std::string&, int)>& on_failure = {});

}  // namespace relmpi
