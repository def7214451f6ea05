#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <string>
#include <vector>

#include "dist/devices/gpus.h"
#include "dist/ranks/communicator.h"

namespace relmpi {

// The device of this rank. `wanted`: auto (a GPU if there is one), cpu, cuda, cuda:N. Ranks of one host
// take the visible GPUs in the order of their node rank. Throws InputError for a GPU that is not there or
// that CUDA cannot use (auto does not take the CPU in its place), more ranks than GPUs, or two ranks on one
// GPU (found by UUID, whatever CUDA_VISIBLE_DEVICES says). Every rank must call it.
at::Device choose_device(Communicator& communicator, const std::string& wanted,
                         const GpuProbe& found = probe_gpus());

struct CoresOfRank {
  std::string host;
  std::vector<int> cores;  // that the process may use
};

// The cores of `rank`, each shared evenly by the ranks of its host that may use it; at least 1. So ranks
// bound to their own cores keep them, and ranks of one cpuset divide it.
int fair_threads(std::size_t rank, const std::vector<CoresOfRank>& all);

// Threads for this rank's CPU work: `wanted`, or fair_threads. Sets libtorch's number and returns it. Every
// rank must call it.
int set_threads(Communicator& communicator, int wanted = 0);

// MPI if the tensors are on the host, NCCL if they are on GPUs of several ranks.
std::unique_ptr<Communicator> communicator_for(std::unique_ptr<Communicator> host, at::Device device,
                                               const CommunicatorOptions& options);

}  // namespace relmpi
