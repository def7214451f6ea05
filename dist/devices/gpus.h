#pragma once

#include <c10/core/Device.h>

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace relmpi {

// GPUs that this process sees; puts no context on any.
int gpu_count();

// What `relmpi-doctor devices` prints: an array, empty without a GPU. `only`: this GPU alone; to ask one puts
// a CUDA context of some hundred MB on it.
nlohmann::json describe_devices(std::optional<int> only = {});

// The device's current stream as Communicator takes it (a cudaStream_t); null on the CPU.
void* current_stream(at::Device device);

// As nvidia-smi and NVML write it: GPU-01234567-89ab-cdef-0123-456789abcdef.
std::string gpu_uuid(int index);

std::string host_name();

}  // namespace relmpi
