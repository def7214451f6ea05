#include "dist/devices/energy.h"

#include <dlfcn.h>

#include "dist/devices/gpus.h"

namespace relmpi {
namespace {

// The three functions of nvml.h that are needed; all return 0 on success.
using Init = int();
using DeviceByUuid = int(const char*, void**);
using TotalEnergy = int(void*, unsigned long long*);  // millijoules

}  // namespace

struct EnergyMeter::State {
  void* library = nullptr;
  void* handle = nullptr;
  TotalEnergy* total = nullptr;
};

EnergyMeter::EnergyMeter(at::Device device) : state_(std::make_unique<State>()) {
  if (!device.is_cuda()) return;
  state_->library = ::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!state_->library) return;
  const auto symbol = [&](const char* name) { return ::dlsym(state_->library, name); };
  auto* init = reinterpret_cast<Init*>(symbol("nvmlInit_v2"));
  auto* by_uuid = reinterpret_cast<DeviceByUuid*>(symbol("nvmlDeviceGetHandleByUUID"));
  auto* total = reinterpret_cast<TotalEnergy*>(symbol("nvmlDeviceGetTotalEnergyConsumption"));
  if (!init || !by_uuid || !total || init() != 0) return;
  if (by_uuid(gpu_uuid(device.index()).c_str(), &state_->handle) == 0) state_->total = total;
}

EnergyMeter::~EnergyMeter() {
  if (state_->library) ::dlclose(state_->library);
}

std::optional<double> EnergyMeter::joules() const {
  unsigned long long millijoules = 0;
  if (!state_->total || state_->total(state_->handle, &millijoules) != 0) return std::nullopt;
  return static_cast<double>(millijoules) / 1000;
}

}  // namespace relmpi
