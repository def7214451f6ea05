#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dist/devices/gpus.h"
#include "dist/placement/placement.h"

namespace relmpi {

// What a user says about placement, and how it becomes a device map.

// "0=24GiB,1=24GiB,cpu=64GiB,disk=1TB"; a GPU may be written cuda:0 too. Throws InputError naming the part.
MemoryLimits parse_memory_limits(std::string_view text);

// Bytes of memory that the host can give without swapping (MemAvailable); 0 if the system does not say.
std::int64_t available_host_memory();

// What is free on these GPUs and on the host; without the host if a GPU shares its memory.
MemoryLimits limits_at_hand(std::span<const Gpu> gpus);

// The options that say where a model goes. Precedence: device_map, then device_id, then device, then "auto".
struct PlacementOptions {
  std::string device_map;  // auto, balanced, balanced_low_0, sequential, cuda[:N], cpu, 0,1, or FILE.json; ""
  std::optional<int> device_id;  // a GPU
  std::string device;            // auto, cuda[:N], cpu; ""
};

// What they come to: a strategy over all GPUs; the whole model in one place; an even share on each of these
// GPUs (two or more); or a file that names a place for each prefix.
struct PlacementChoice {
  std::variant<Strategy, Place, std::vector<int>, std::filesystem::path> what = Strategy::kBalanced;
  std::string option;  // that said so, for errors: "--device-map cuda:3"
};

// "cuda" is GPU 0, and so is the device map "0". Throws InputError naming the option for what is none of
// these.
PlacementChoice choose_placement(const PlacementOptions& options);

// If the limits are what is free, and the only GPU is to be planned by a balanced strategy: 90 % of that GPU,
// as Accelerate does; else the limits as they are.
MemoryLimits with_slack(const MemoryLimits& limits, const PlacementChoice& choice);

struct Plan {
  DeviceMap map;
  MemoryLimits limits;  // as the strategy left them
};

// The map for the choice. `limits` are the devices at hand: GPUs that are not in it cannot be used, and cpu
// and disk only by a strategy if they are in it (the disk always). Throws InputError for a GPU that is not
// there, naming those that are, and for a map that check_device_map refuses.
Plan make_plan(const ModelTree& tree, const MemoryLimits& limits, const PlacementChoice& choice);

}  // namespace relmpi
