// relmpi-doctor: what this machine, its devices and its ranks can do.

#include "dist/commands/commands.h"

int main(int argc, char** argv) {
  using namespace relmpi;
  Tool tool(
      "relmpi-doctor",
      "What this machine, its devices and its ranks can do, and what is wrong with them. Run it as the "
      "training is "
      "started:\n"
      "  relmpi-doctor selftest                    does it train and decode rightly: first on a new machine\n"
      "  relmpi-doctor environment                 versions, devices, and what will hurt\n"
      "  mpirun -np 4 relmpi-doctor environment    the same for every rank: hosts, devices, cores\n"
      "  mpirun -np 4 relmpi-doctor allreduce      does the interconnect add up, and how fast\n"
      "  relmpi-doctor plan --model-config DIR      where the layers of a language model would go\n"
      "Two GPUs slower than one? A hang at the start? Begin with these.");
  for (auto* add : {add_selftest, add_devices, add_environment, add_allreduce, add_plan}) add(tool);
  return tool.run(argc, argv);
}
