#include "dist/devices/versions.h"

#include <torch/version.h>

#include <array>

#include "base/torch_headers.h"
#include "dist/devices/mpi_call.h"
#if RELMPI_CUDA
#include "dist/devices/cuda_call.h"
#endif

namespace relmpi {

Versions versions() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> mpi{};
  int length = 0;
  demand_mpi(MPI_Get_library_version(mpi.data(), &length), "MPI_Get_library_version");
  Versions out{{"libtorch", TORCH_VERSION}, {"mpi", mpi.data()}};
#if RELMPI_CUDA
  int nccl = 0, runtime = 0, driver = 0;
  demand_nccl(ncclGetVersion(&nccl), "ncclGetVersion");
  demand_cuda(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  demand_cuda(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  const auto cuda = [](int version) { return fmt::format("{}.{}", version / 1000, version / 10 % 100); };
  out["nccl"] = fmt::format("{}.{}.{}", nccl / 10000, nccl / 100 % 100, nccl % 100);
  out["cuda_runtime"] = cuda(runtime);
  out["cuda_driver"] = driver == 0 ? std::nullopt : std::optional(cuda(driver));
#endif
  return out;
}

nlohmann::json to_json(const Versions& versions) {
  nlohmann::json out = nlohmann::json::object();
  for (const auto& [name, version] : versions)
    out[name] = version ? nlohmann::json(*version) : nlohmann::json(nullptr);
  return out;
}

}  // namespace relmpi
