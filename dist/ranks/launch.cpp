#include "dist/ranks/launch.h"

#include <cstdlib>

#include "base/error.h"

namespace relmpi {

Launch detect_launch() {
  const auto is_set = [](const char* name) { return std::getenv(name) != nullptr; };
  Launch launch;
  if (const char* tasks = std::getenv("SLURM_NTASKS")) launch.slurm_tasks = std::atoi(tasks);
  // A batch script's own shell has SLURM_JOB_ID but no step: what it starts directly is one process.
  if (is_set("OMPI_COMM_WORLD_SIZE")) {
    launch.launched = launch.connected = true;
    launch.launcher = "mpirun";
  } else if (is_set("PMIX_RANK") || is_set("PMI_RANK") || is_set("PMI_FD")) {
    launch.launched = launch.connected = true;
    launch.launcher = is_set("SLURM_STEP_ID") ? "srun" : "mpirun";
  } else if (is_set("SLURM_STEP_ID") && launch.slurm_tasks > 1) {
    launch.launched = true;
    launch.launcher = "srun";
  }
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"})
    if (const char* rank = std::getenv(name); rank && launch.launched) {
      launch.rank = std::atoi(rank);
      break;
    }
  return launch;
}

void demand_connection(const Launch& launch, int size) {
  if (launch.launcher != "srun" || launch.slurm_tasks <= 1 || size > 1) return;
  throw InputError(
      "SLURM_NTASKS is {}, but each task would be alone: srun started them without a process management "
      "interface that this MPI knows. Start them by `srun --mpi=pmix` (`srun --mpi=list` shows whether it is "
      "there), or by mpirun in the batch script; for one process on purpose, `srun -n1`",
      launch.slurm_tasks);
}

}  // namespace relmpi
