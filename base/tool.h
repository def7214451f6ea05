#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "base/error.h"

namespace relmpi {

// What a command knows of its call besides its options.
struct Invocation {
  const CLI::App& command;  // with what was given, and what was not
  // Ends the other processes of the job with this exit code. Empty until there are some (dist/ranks/job.h).
  std::function<void(int code)> end_peers;
};

// One command: `options` declares what fills an Options, whose defaults are those of a default-constructed
// one; `run` returns the exit code.
template <typename Options>
struct Command {
  const char* name;
  const char* help;
  void (*options)(CLI::App& app, Options& options);
  int (*run)(const Options& options, Invocation& invocation);
};

// A program of commands, or of one. Turns every way to end into the exit codes of base/error.h: a wrong
// option or an InputError is 2, any other exception 1. The last line on stderr says what happened.
class Tool {
 public:
  // Its first argument names one of the commands that are added.
  Tool(const char* name, const char* about) : app_(about, name) { app_.require_subcommand(1); }

  // Has no commands: `only`'s options are its own.
  template <typename Options>
  explicit Tool(const Command<Options>& only) : app_(only.help, only.name) {
    bind(app_, only);
  }

  template <typename Options>
  void add(const Command<Options>& command) {
    bind(*app_.add_subcommand(command.name, command.help), command);
  }

  // Parses the command line and runs the command that it asks for. Returns the exit code.
  int run(int argc, char** argv);

 private:
  struct Bound {
    const CLI::App* app;
    std::function<int(Invocation&)> run;
  };

  template <typename Options>
  void bind(CLI::App& app, const Command<Options>& command) {
    const auto options = std::make_shared<Options>();
    command.options(app, *options);
    bound_.push_back(
        {&app, [options, run = command.run](Invocation& invocation) { return run(*options, invocation); }});
  }

  int failed(Exit code, const char* what) const;

  CLI::App app_;
  std::vector<Bound> bound_;
};

}  // namespace relmpi
