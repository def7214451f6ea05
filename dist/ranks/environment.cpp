#include <ATen/Parallel.h>
#include <mpi.h>
#include <torch/version.h>
#include <unistd.h>

#include "base/torch_headers.h"
#include "dist/devices/gpus.h"
#include "dist/devices/host_checks.h"
#include "dist/ranks/doctor.h"
#include "dist/ranks/launch.h"
#if RELMPI_CUDA
#include <cuda_runtime_api.h>
#include <nccl.h>
#endif

namespace relmpi {

nlohmann::json versions() {
  char mpi[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(mpi, &length);
  nlohmann::json out{{"libtorch", TORCH_VERSION},
                     {"mpi", std::string(mpi, static_cast<std::size_t>(length))}};
#if RELMPI_CUDA
  int nccl = 0, runtime = 0, driver = 0;
  ncclGetVersion(&nccl);
  cudaRuntimeGetVersion(&runtime);
  cudaDriverGetVersion(&driver);
  out["nccl"] = fmt::format("{}.{}.{}", nccl / 10000, nccl / 100 % 100, nccl % 100);
  out["cuda_runtime"] = fmt::format("{}.{}", runtime / 1000, runtime / 10 % 100);
  out["cuda_driver"] = driver == 0 ? nlohmann::json(nullptr)
                                   : nlohmann::json(fmt::format("{}.{}", driver / 1000, driver / 10 % 100));
#endif
  return out;
}

nlohmann::json describe_environment(Communicator& communicator, at::Device device) {
  const auto findings = gather_findings(communicator, device, at::get_num_threads());
  const nlohmann::json mine{
      {"rank", communicator.rank()}, {"node_rank", communicator.node_rank()}, {"host", host_name()},
      {"device", device.str()},      {"threads", at::get_num_threads()},      {"pid", ::getpid()},
      {"cores", allowed_cores()}};
  const auto all = communicator.gather_bytes(mine.dump());
  if (communicator.rank() != 0) return nullptr;
  nlohmann::json ranks = nlohmann::json::array();
  for (const std::string& one : all) ranks.push_back(nlohmann::json::parse(one));
  const Launch launch = detect_launch();
  return {{"versions", versions()},
          {"launcher", launch.launched ? launch.launcher : "none"},
          {"backend", device.is_cuda() && communicator.size() > 1 ? "nccl" : communicator.backend()},
          {"size", communicator.size()},
          {"ranks", ranks},
          {"devices", describe_devices()},
          {"findings", findings}};
}

}  // namespace relmpi
