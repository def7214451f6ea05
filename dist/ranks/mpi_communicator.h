#pragma once

#include <memory>

#include "dist/ranks/communicator.h"
#include "dist/ranks/launch.h"

namespace relmpi {

// Initialises MPI (MPI_THREAD_MULTIPLE); its destructor finalises it. Throws InputError if srun started
// several tasks that cannot see each other (no PMIx).
std::unique_ptr<Communicator> make_mpi_communicator(const CommunicatorOptions& options, const Launch& launch);

}  // namespace relmpi
