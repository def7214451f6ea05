#include "dist/devices/cuda_call.h"

#include "base/error.h"
#include "dist/devices/mpi_call.h"

namespace relmpi {

void demand_cuda(cudaError_t result, const char* call) {
  if (result == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // else the next call that libtorch checks would seem to have failed
  throw RuntimeError("{}{} failed: {}", this_rank(), call, cudaGetErrorString(result));
}

void demand_nccl(ncclResult_t result, const char* call, ncclComm_t comm) {
  if (result == ncclSuccess || result == ncclInProgress) return;
  throw RuntimeError("{}{} failed: {} ({}). NCCL_DEBUG=INFO shows more", this_rank(), call,
                     ncclGetErrorString(result), ncclGetLastError(comm));
}

}  // namespace relmpi
