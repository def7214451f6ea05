#include "dist/launch.h"

#include <cstdlib>

namespace relmpi {

Launch detect_launch() {
  const auto is_set = [](const char* name) { return std::getenv(name) != nullptr; };
  Launch launch;
  if (const char* tasks = std::getenv("SLURM_NTASKS")) launch.slurm_tasks = std::atoi(tasks);
  // A batch script's own shell has SLURM_JOB_ID but no step: what it starts directly is one process.
  if (is_set("OMPI_COMM_WORLD_SIZE")) {
    launch.launched = true;
    launch.launcher = "mpirun";
  } else if (is_set("PMIX_RANK") || is_set("PMI_RANK") || is_set("PMI_FD")) {
    launch.launched = true;
    launch.launcher = is_set("SLURM_STEP_ID") ? "srun" : "mpirun";
  } else if (is_set("SLURM_STEP_ID") && is_set("SLURM_PROCID")) {
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

}  // namespace relmpi
