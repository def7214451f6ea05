#include "dist/ranks/allreduce_speed.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/torch_headers.h"
#include "dist/devices/gpus.h"
#if RELMPI_CUDA
#include <c10/cuda/CUDAStream.h>
#endif

namespace relmpi {
namespace {

constexpr int kRepeats = 7;

void synchronise(at::Device device) {
#if RELMPI_CUDA
  if (device.is_cuda()) c10::cuda::getCurrentCUDAStream(device.index()).synchronize();
#endif
  (void)device;
}

}  // namespace

double time_all_reduce(Communicator& communicator, at::Device device, std::int64_t bytes) {
  const std::int64_t elements = std::max<std::int64_t>(1, bytes / 4);
  const double expected = communicator.size() * (communicator.size() + 1) / 2.0;
  std::vector<double> seconds;
  for (int i = 0; i < kRepeats; ++i) {
    at::Tensor data =
        at::full({elements}, communicator.rank() + 1.0, at::TensorOptions(at::kFloat).device(device));
    synchronise(device);
    communicator.barrier();
    const auto begin = std::chrono::steady_clock::now();
    communicator.all_reduce(data.data_ptr(), elements, ReduceType::kFloat32, current_stream(device));
    synchronise(device);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    if (!data.eq(expected).all().item<bool>())
      throw RuntimeError(
          "rank {}: the all-reduce of {} elements gave a wrong sum (expected {} everywhere): check the "
          "interconnect, NCCL_DEBUG=INFO or the MPI transport",
          communicator.rank(), elements, expected);
  }
  std::nth_element(seconds.begin(), seconds.begin() + kRepeats / 2, seconds.end());
  return seconds[kRepeats / 2];
}

AllreduceSpeed measure_allreduce(Communicator& communicator, at::Device device, std::int64_t bytes) {
  const double ranks = communicator.size();
  AllreduceSpeed out{.backend = communicator.backend(), .device = device.str(), .ranks = communicator.size()};
  for (std::int64_t size = 1024;; size *= 4) {
    size = std::min(size, bytes);
    const double seconds = time_all_reduce(communicator, device, size);
    out.sizes.push_back({size, seconds, 2 * (ranks - 1) / ranks * static_cast<double>(size) / seconds});
    if (size == bytes) return out;
  }
}

nlohmann::json to_json(const AllreduceSpeed& speed) {
  nlohmann::json sizes = nlohmann::json::array();
  for (const auto& size : speed.sizes)
    sizes.push_back({{"bytes", size.bytes},
                     {"latency_us", 1e6 * size.seconds},
                     {"bus_bandwidth_gb_s", size.bus_bandwidth / 1e9},
                     {"correct", true}});
  return {{"backend", speed.backend}, {"size", speed.ranks}, {"device", speed.device}, {"sizes", sizes}};
}

}  // namespace relmpi
