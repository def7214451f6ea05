#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <optional>

namespace relmpi {

// Energy that a GPU has used, from NVIDIA's management library, which is opened when this is made. Without a
// GPU, without the library or if the GPU does not count, there is no number and no error.
class EnergyMeter {
 public:
  explicit EnergyMeter(at::Device device);
  ~EnergyMeter();
  EnergyMeter(const EnergyMeter&) = delete;
  EnergyMeter& operator=(const EnergyMeter&) = delete;

  std::optional<double> joules() const;  // since the driver was loaded

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace relmpi
