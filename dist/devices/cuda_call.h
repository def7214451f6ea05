#pragma once

// For builds with CUDA.
#include <cuda_runtime_api.h>
#include <nccl.h>

namespace relmpi {

// The one way to look at what a call of the CUDA runtime or of NCCL returned: throws RuntimeError with this
// rank, the call's name and the library's reason if it failed.
void demand_cuda(cudaError_t result, const char* call);

// A call that goes on (ncclInProgress) has not failed. `comm`, if there is one, tells more of the reason.
void demand_nccl(ncclResult_t result, const char* call, ncclComm_t comm = nullptr);

}  // namespace relmpi
