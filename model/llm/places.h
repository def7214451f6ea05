#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <vector>

#include "model/llm/config.h"

namespace relmpi {

// Where the parts of a model run: each part has a slot, each slot a device. Two slots may be one device, so
// that a map for several GPUs can be rehearsed on a CPU. Activations are copied when the slot changes.
struct LlmPlaces {
  std::vector<at::Device> devices;  // of the slots
  std::size_t embedding = 0;
  std::vector<std::size_t> layers;  // slot of each
  std::size_t head = 0;             // of the final norm and the head

  at::Device of_layer(std::size_t layer) const { return devices[layers[layer]]; }
};

// Everything on one device.
LlmPlaces one_place(const LlmConfig& config, at::Device device);

}  // namespace relmpi
