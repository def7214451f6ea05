#include "base/allocator.h"
#include "eval/commands/commands.h"

int main(int argc, char** argv) {
  using namespace relmpi;
  keep_freed_memory();
  Tool tool("relmpi-eval", "Evaluates models, decision strategies and the programs of others");
  for (auto* add :
       {add_csc, add_strategies, add_decode, add_likelihood, add_diagnose, add_mdp, add_score, add_compare})
    add(tool);
  return tool.run(argc, argv);
}
