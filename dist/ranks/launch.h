#pragma once

#include <string>

namespace relmpi {

// How this process was started, from the environment alone.
struct Launch {
  bool launched = false;   // by mpirun, or by srun as one of several tasks
  bool connected = false;  // with a process management interface, by which MPI finds the other ranks
  std::string launcher;    // "mpirun", "srun", or ""
  int slurm_tasks = 0;     // SLURM_NTASKS, 0 if not set
  int rank = 0;            // as the launcher says
};

Launch detect_launch();

// Throws InputError if srun has started several tasks that MPI does not connect: each would train alone,
// all into the same folder. `size` is that of MPI's world, 1 before MPI_Init.
void demand_connection(const Launch& launch, int size);

}  // namespace relmpi
