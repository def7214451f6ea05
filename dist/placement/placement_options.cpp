#include "dist/placement/placement_options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/units.h"

namespace relmpi {
namespace {

constexpr int kMostGpus = 1 << 16;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    parts.push_back(trimmed(text.substr(at, end - at)));
    at = end + 1;
  }
  return parts;
}

std::optional<Place> gpu(std::string_view digits) {
  const auto index = parse_number<int>(digits);
  if (!index || *index < 0 || *index > kMostGpus) return std::nullopt;
  return Place::gpu(*index);
}

// cuda, cuda:N, cpu, and a number if `numbers`.
std::optional<Place> place_of(std::string_view text, bool numbers) {
  if (text == "cpu") return Place::cpu();
  if (text == "cuda") return Place::gpu(0);
  if (text.starts_with("cuda:")) return gpu(text.substr(5));
  return numbers ? gpu(text) : std::nullopt;
}

std::optional<std::vector<int>> gpu_list(std::string_view text) {
  std::vector<int> gpus;
  for (const std::string_view part : split(text, ',')) {
    const auto place = gpu(part);
    if (!place) return std::nullopt;
    gpus.push_back(place->number);
  }
  return gpus;
}

PlacementChoice choose_map(const std::string& text) {
  PlacementChoice choice{.option = "--device-map " + text};
  if (text == "auto" || text == "balanced") {
    choice.what = Strategy::kBalanced;
  } else if (text == "balanced_low_0") {
    choice.what = Strategy::kBalancedLowZero;
  } else if (text == "sequential") {
    choice.what = Strategy::kSequential;
  } else if (const auto place = place_of(text, true)) {
    choice.what = *place;
  } else if (auto gpus = gpu_list(text)) {
    if (std::set<int>(gpus->begin(), gpus->end()).size() != gpus->size())
      throw InputError("--device-map {}: a GPU is named twice", text);
    choice.what = std::move(*gpus);
  } else if (text.ends_with(".json") || std::filesystem::exists(text)) {
    choice.what = std::filesystem::path(text);
  } else {
    throw InputError(
        "--device-map {} is unknown; choose auto, balanced, balanced_low_0, sequential, cuda:N, cpu, GPUs "
        "such as "
        "0,1, or a JSON file of prefixes",
        text);
  }
  return choice;
}

// Throws InputError unless the GPU is at hand.
void demand_gpu(int index, const MemoryLimits& limits, const std::string& source) {
  if (limits.contains(Place::gpu(index))) return;
  std::vector<int> there;
  for (const auto& [place, bytes] : limits)
    if (place.is_gpu()) there.push_back(place.number);
  if (there.empty())
    throw InputError(
        "{}: GPU {} is asked for, but there is none (CUDA is missing, or no GPU is visible); check "
        "nvidia-smi and "
        "CUDA_VISIBLE_DEVICES, or place the model on cpu",
        source, index);
  throw InputError("{}: GPU {} is asked for, but only {} {} there", source, index, fmt::join(there, ", "),
                   there.size() == 1 ? "is" : "are");
}

// The file's map: one object, prefix -> GPU number, "cuda:N", "cpu" or "disk"; a prefix inside another's
// wins. Throws InputError for what is not such a map.
DeviceMap read_device_map(const std::filesystem::path& file) {
  const auto document = parse_json(read_file(file), file.string());
  if (!document.is_object() || document.empty())
    throw InputError("{}: an object of prefixes was expected, such as {{\"model\": 0, \"lm_head\": \"cpu\"}}",
                     file.string());
  DeviceMap map;
  for (const auto& [prefix, value] : document.items()) {
    std::optional<Place> place;
    if (value.is_string()) {
      const auto text = value.get<std::string>();
      place = text == "disk" ? Place::disk() : place_of(text, true);
    } else if (is_whole_number(value)) {
      place = gpu(value.dump());
    }
    if (!place)
      throw InputError(
          "{}: \"{}\" goes to {}, which is no place; write a GPU's number, \"cuda:N\", \"cpu\" or \"disk\"",
          file.string(), prefix, value.dump());
    map.entries.emplace_back(prefix, *place);
  }
  return map;
}

}  // namespace

MemoryLimits parse_memory_limits(std::string_view text) {
  MemoryLimits limits;
  for (const std::string_view part : split(text, ',')) {
    const auto equals = part.find('=');
    const std::string_view name = trimmed(part.substr(0, equals));
    auto place = name == "disk" ? Place::disk() : place_of(name, true);
    if (equals == std::string_view::npos || !place)
      throw InputError(
          "--max-memory: '{}' is no limit: write GPU=SIZE, cpu=SIZE or disk=SIZE, such as 0=24GiB,cpu=64GiB",
          part);
    if (!limits.emplace(*place, parse_bytes(part.substr(equals + 1))).second)
      throw InputError("--max-memory: {} has two limits", to_string(*place));
  }
  return limits;
}

std::int64_t available_host_memory() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  for (std::int64_t kibibytes = 0; file >> name >> kibibytes; file.ignore(256, '\n'))
    if (name == "MemAvailable:") return kibibytes * 1024;
  return 0;
}

MemoryLimits limits_at_hand(std::span<const Gpu> gpus) {
  MemoryLimits limits;
  bool shared = false;
  for (const Gpu& gpu : gpus) {
    limits[Place::gpu(gpu.id)] = gpu.memory_free;
    shared = shared || gpu.integrated;
  }
  if (!shared) limits[Place::cpu()] = available_host_memory();
  return limits;
}

MemoryLimits with_slack(const MemoryLimits& limits, const PlacementChoice& choice) {
  const auto* strategy = std::get_if<Strategy>(&choice.what);
  const auto usable = [](const auto& limit) { return limit.first.is_gpu() && limit.second > 0; };
  if (strategy == nullptr || *strategy == Strategy::kSequential || std::ranges::count_if(limits, usable) != 1)
    return limits;
  MemoryLimits out = limits;
  std::int64_t& first = out.begin()->second;
  first = static_cast<std::int64_t>(static_cast<double>(first) * 0.9);
  return out;
}

PlacementChoice choose_placement(const PlacementOptions& options) {
  if (!options.device_map.empty()) return choose_map(options.device_map);
  if (options.device_id) {
    const std::string option = fmt::format("--device-id {}", *options.device_id);
    if (*options.device_id < 0 || *options.device_id > kMostGpus)
      throw InputError("{} is not a GPU; they are numbered from 0", option);
    return {Place::gpu(*options.device_id), option};
  }
  if (options.device.empty() || options.device == "auto") return {Strategy::kBalanced, "--device-map auto"};
  const auto place = place_of(options.device, false);
  if (!place) throw InputError("--device {} is unknown; choose auto, cpu, cuda or cuda:N", options.device);
  return {*place, "--device " + options.device};
}

Plan make_plan(const ModelTree& tree, const MemoryLimits& limits, const PlacementChoice& choice) {
  Plan plan{.limits = limits};
  if (const auto* strategy = std::get_if<Strategy>(&choice.what)) {
    plan.limits = balanced_limits(tree, limits, *strategy);
    plan.map = infer_device_map(tree, plan.limits);
  } else if (const auto* place = std::get_if<Place>(&choice.what)) {
    if (place->is_gpu()) demand_gpu(place->number, limits, choice.option);
    plan.map.entries = {{"", *place}};
  } else if (const auto* gpus = std::get_if<std::vector<int>>(&choice.what)) {
    for (const int index : *gpus) demand_gpu(index, limits, choice.option);
    std::erase_if(plan.limits, [&](const auto& limit) {
      return limit.first.is_gpu() && std::ranges::find(*gpus, limit.first.number) == gpus->end();
    });
    plan.limits = balanced_limits(tree, plan.limits, Strategy::kBalanced);
    plan.map = infer_device_map(tree, plan.limits);
  } else {
    const auto& file = std::get<std::filesystem::path>(choice.what);
    plan.map = in_module_order(tree, read_device_map(file));
    for (const auto& [prefix, target] : plan.map.entries)
      if (target.is_gpu()) demand_gpu(target.number, limits, file.string() + ": \"" + prefix + "\"");
    check_device_map(tree, plan.map, file.string());
  }
  return plan;
}

}  // namespace relmpi
