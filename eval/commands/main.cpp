#include "base/allocator.h"
#include "base/log.h"
#include "base/tool.h"
#include "eval/commands/csc.h"
#include "eval/commands/decode.h"
#include "eval/commands/diagnose.h"
#include "eval/commands/likelihood.h"
#include "eval/commands/mdp.h"
#include "eval/commands/strategies.h"

int main(int argc, char** argv) {
  relmpi::keep_freed_memory();
  CLI::App app("Evaluates models, decision strategies and the programs of others", "relmpi-eval");
  app.require_subcommand(1);
  std::function<int()> body;
  std::unique_ptr<relmpi::Communicator> communicator;
  relmpi::add_csc_command(app, body, communicator);
  relmpi::add_strategies_command(app, body, communicator);
  relmpi::add_decode_command(app, body, communicator);
  relmpi::add_likelihood_command(app, body, communicator);
  relmpi::add_diagnose_command(app, body, communicator);
  relmpi::add_mdp_command(app, body);
  relmpi::add_score_command(app, body);
  relmpi::add_compare_command(app, body);
  relmpi::start_log(-1, 1);
  return relmpi::run_tool(
      app, argc, argv, [&body] { return body(); },
      [&](const std::string&, int code) {
        if (communicator && communicator->size() > 1) communicator->abort(code);
      });
}
