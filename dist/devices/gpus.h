#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace c10 {
struct Device;
}

namespace relmpi {

struct Gpu {
  int id = 0;              // as this process counts them
  std::string name, uuid;  // as nvidia-smi and NVML write them: GPU-01234567-89ab-cdef-0123-456789abcdef
  std::int64_t memory_total = 0, memory_free = 0;  // bytes
  std::int64_t memory_used_by_us = 0;              // bytes that libtorch holds for this process
  bool integrated = false;                         // its memory is the host's

  bool operator==(const Gpu&) const = default;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Gpu, id, name, uuid, memory_total, memory_free, memory_used_by_us,
                                   integrated)

// GPUs that this process sees; puts no context on any.
int gpu_count();

// What a process learns of the host's GPUs without a context on any.
struct GpuProbe {
  int visible = 0;            // gpu_count
  bool device_files = false;  // the host, or this container, has one
  std::string cuda_error;     // why CUDA does not start; empty if it does, with or without a visible GPU
};
GpuProbe probe_gpus();

// Whether `dev` has the files of a GPU: nvidia0, nvidia1, ..., or dxg under Windows.
bool gpu_device_files(const std::filesystem::path& dev = "/dev");

// Those GPUs, or `only` one of them (none if there is no such one). To ask one puts a CUDA context of some
// hundred MB on it.
std::vector<Gpu> gpus(std::optional<int> only = {});

std::string gpu_uuid(int index);

// The device's current stream as Communicator takes it (a cudaStream_t); null on the CPU.
void* current_stream(c10::Device device);

std::string host_name();

}  // namespace relmpi
