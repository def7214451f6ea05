#pragma once

#include <string>

namespace relmpi {

// How this process was started, from the environment alone.
struct Launch {
  bool launched = false;  // by mpirun, or by srun with a process management interface
  std::string launcher;   // "mpirun", "srun", or ""
  int slurm_tasks = 0;    // SLURM_NTASKS, 0 where not set
  int rank = 0;           // as the launcher says
};

Launch detect_launch();

}  // namespace relmpi
