#include <CLI/CLI.hpp>

#include "base/log.h"
#include "base/tool.h"
#include "data/commands/shard.h"
#include "data/commands/vocab.h"

int main(int argc, char** argv) {
  CLI::App app(
      "From text to training data for Chinese spelling correction.\n"
      "The usual order: vocab, confusion, noise, shard; then inspect what came out.\n"
      "`relmpi-data COMMAND --help` explains each.",
      "relmpi-data");
  app.require_subcommand(1);
  relmpi::start_log(-1, 1);
  std::function<int()> body;
  relmpi::add_text_commands(app, body);
  relmpi::add_shard_commands(app, body);
  return relmpi::run_tool(app, argc, argv, [&] { return body(); });
}
