#pragma once

#include <memory>

#include "dist/ranks/communicator.h"

namespace relmpi {

// The communicator that this process was launched for (dist/ranks/launch.h): one process, or MPI.
std::unique_ptr<Communicator> make_communicator(const CommunicatorOptions& options);

}  // namespace relmpi
