#include "dist/devices/gpus.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/torch_headers.h"
#if RELMPI_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "dist/devices/cuda_call.h"
#endif

namespace relmpi {

#if RELMPI_CUDA
namespace {

// Bytes that libtorch holds on the device for this process.
std::int64_t used_by_us(int index) {
  namespace allocator = c10::cuda::CUDACachingAllocator;
  if (!allocator::get()->initialized()) return 0;  // nothing was ever put there
  const auto stats = allocator::getDeviceStats(static_cast<c10::DeviceIndex>(index));
  return stats.reserved_bytes[static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE)].current;
}

// libtorch's words: they name the driver's version and the one that is wanted.
std::string why_cuda_does_not_start() {
  try {
    c10::cuda::device_count_ensure_non_zero();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return {};
}

}  // namespace
#endif

int gpu_count() {
#if RELMPI_CUDA
  return c10::cuda::device_count();
#else
  return 0;
#endif
}

GpuProbe probe_gpus() {
  GpuProbe probe{.visible = gpu_count(), .device_files = gpu_device_files(), .cuda_error = {}};
#if RELMPI_CUDA
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess && error != cudaErrorNoDevice) probe.cuda_error = why_cuda_does_not_start();
#endif
  return probe;
}

bool gpu_device_files(const std::filesystem::path& dev) {
  std::error_code unreadable;  // as if there were none
  for (const auto& entry : std::filesystem::directory_iterator(dev, unreadable)) {
    const std::string name = entry.path().filename().string();
    constexpr std::string_view kNvidia = "nvidia";
    if (name == "dxg") return true;
    if (name.starts_with(kNvidia) && name.size() > kNvidia.size() &&
        std::ranges::all_of(name.substr(kNvidia.size()), [](unsigned char c) { return std::isdigit(c); }))
      return true;
  }
  return false;
}

std::string gpu_uuid(int index) {
#if RELMPI_CUDA
  cudaDeviceProp properties{};
  demand_cuda(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  std::string text = "GPU";
  for (int i = 0; i < 16; ++i) {
    if (i == 0 || i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<unsigned char>(properties.uuid.bytes[i]));
  }
  return text;
#else
  return std::to_string(index);
#endif
}

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

void* current_stream(c10::Device device) {
#if RELMPI_CUDA
  if (device.is_cuda()) return c10::cuda::getCurrentCUDAStream(device.index()).stream();
#endif
  (void)device;
  return nullptr;
}

std::vector<Gpu> gpus([[maybe_unused]] std::optional<int> only) {
  std::vector<Gpu> out;
#if RELMPI_CUDA
  for (int i = 0; i < gpu_count(); ++i) {
    if (only && i != *only) continue;
    cudaDeviceProp properties{};
    demand_cuda(cudaGetDeviceProperties(&properties, i), "cudaGetDeviceProperties");
    const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(i));
    std::size_t free = 0, total = 0;
    demand_cuda(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    out.push_back({.id = i,
                   .name = properties.name,
                   .uuid = gpu_uuid(i),
                   .memory_total = static_cast<std::int64_t>(total),
                   .memory_free = static_cast<std::int64_t>(free),
                   .memory_used_by_us = used_by_us(i),
                   .integrated = properties.integrated != 0});
  }
#endif
  return out;
}

}  // namespace relmpi
