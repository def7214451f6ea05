#include "dist/ranks/backends.h"

#include "base/error.h"
#include "dist/ranks/launch.h"
#include "dist/ranks/mpi_communicator.h"
#include "dist/ranks/nccl.h"

namespace relmpi {

std::unique_ptr<Communicator> make_communicator(const CommunicatorOptions& options) {
  constexpr double kYears = 1e8;
  demand(options.timeout_seconds > 0 && options.timeout_seconds <= kYears, "--collective-timeout",
         options.timeout_seconds, fmt::format("above 0 and at most {:.0e} seconds", kYears));
  const Launch launch = detect_launch();
  if (!launch.launched) return std::make_unique<Communicator>();
  if (!launch.connected)
    demand_connection(launch, 1);  // MPI_Init would end the process with words of its own
  return make_mpi_communicator(options, launch);
}

#if !RELMPI_CUDA
std::unique_ptr<Nccl> make_nccl(int) {
  throw InputError("this build has no NCCL: build against a libtorch with CUDA, or run with --device cpu");
}
#endif

}  // namespace relmpi
