#pragma once

#include <memory>

#include "dist/ranks/communicator.h"

namespace relmpi {

// The communicator that this process was launched for (dist/ranks/launch.h): one process, or MPI.
std::unique_ptr<Communicator> make_communicator(const CommunicatorOptions& options);

// NCCL among the ranks of `host`, each on the CUDA device with this index. Keeps `host` for everything else.
// Throws InputError if this build has no NCCL.
std::unique_ptr<Communicator> make_nccl_communicator(std::unique_ptr<Communicator> host, int device_index,
                                                     const CommunicatorOptions& options);

}  // namespace relmpi
