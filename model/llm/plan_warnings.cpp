#include "model/llm/plan_warnings.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

namespace relmpi {
namespace {

double gib(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 30); }

std::string device_name(Place place) { return (place.is_gpu() ? "cuda:" : "") + to_string(place); }

// Whether the limits decided where layers went, not the user.
bool by_limits(const PlacementChoice& choice) {
  return std::holds_alternative<Strategy>(choice.what) ||
         std::holds_alternative<std::vector<int>>(choice.what);
}

void warn_of_offload(const PlanInputs& in, std::vector<std::string>& out) {
  const auto weights_at = [&](Place place) {
    const auto found = in.weights.find(place);
    return found == in.weights.end() ? 0 : found->second;
  };
  const bool gpus = std::ranges::any_of(in.limits, [](const auto& limit) { return limit.first.is_gpu(); });
  if (const auto bytes = weights_at(Place::cpu()); bytes > 0 && gpus && by_limits(in.choice))
    out.push_back(
        fmt::format("{:.2f} GiB of weights stay on the host, whose memory is many times slower than a GPU's; "
                    "fewer bytes (--dtype bf16), a smaller model or one more GPU would avoid it",
                    gib(bytes)));
  if (const auto bytes = weights_at(Place::disk()); bytes > 0)
    out.push_back(fmt::format(
        "{:.2f} GiB of weights stay on disk, from which relmpi-eval does not run; give more memory "
        "(--max-memory), a smaller dtype (--dtype bf16) or a smaller model",
        gib(bytes)));
}

void warn_of_reserve(const PlanInputs& in, std::vector<std::string>& out) {
  if (!by_limits(in.choice)) return;
  for (const auto& [place, reserve] : in.reserve) {
    const std::int64_t limit = in.limits.at(place);
    if (limit > 0 && reserve >= limit && in.plan.limits.contains(place))
      out.push_back(
          fmt::format("the reserve takes all {:.2f} GiB of {}, so that no layer goes there; take a smaller "
                      "--batch, --length or --reserve",
                      gib(limit), device_name(place)));
  }
}

void warn_of_shortage(const PlanInputs& in, std::vector<std::string>& out) {
  std::set<Place> places;
  for (const auto* held : {&in.weights, &in.beside.cache, &in.beside.activations})
    for (const auto& [place, bytes] : *held) places.insert(place);
  for (const Place place : places) {
    const auto limit = in.limits.find(place);
    const auto weights = in.weights.find(place);
    const std::int64_t need = (weights == in.weights.end() ? 0 : weights->second) + in.beside.at(place);
    if (place == Place::disk() || limit == in.limits.end() || need <= limit->second) continue;
    out.push_back(
        fmt::format("{} would need {:.2f} GiB with cache and activations, but has {:.2f}; take a smaller "
                    "--batch or --length{}",
                    device_name(place), gib(need), gib(limit->second),
                    place.is_gpu() ? ", or plan with --reserve auto" : ""));
  }
}

void warn_of_map(const ModelTree& tree, const DeviceMap& map, std::vector<std::string>& out) {
  if (const std::string layer = split_layer(tree, map); !layer.empty())
    out.push_back(fmt::format("{} lies in several places; the engine runs a layer in one", layer));
  for (const auto& group : tree.tied)
    for (const std::string& name : group)
      if (const Place* one = map.find(group.front()), *other = map.find(name); one && other && *one != *other)
        out.push_back(fmt::format("{} and {} are one tensor, but the map keeps a copy in each of two places",
                                  group.front(), name));
}

}  // namespace

BesideWeights::BesideWeights(const LlmConfig& config, const MemoryNeed& need, const DeviceMap& map,
                             const std::map<Place, std::int64_t>& weights) {
  const auto computes = [](Place place) { return place == Place::disk() ? Place::cpu() : place; };
  for (const auto& [place, bytes] : weights)
    if (bytes > 0) activations[computes(place)] = need.activations;
  for (const auto& [place, layers] : layers_by_place(config, map))
    cache[computes(place)] += layers * need.kv_cache_per_layer;
}

std::int64_t BesideWeights::at(Place place) const {
  const auto kept = cache.find(place), live = activations.find(place);
  return (kept == cache.end() ? 0 : kept->second) + (live == activations.end() ? 0 : live->second);
}

std::vector<std::string> plan_warnings(const PlanInputs& inputs) {
  std::vector<std::string> out;
  warn_of_offload(inputs, out);
  warn_of_reserve(inputs, out);
  warn_of_shortage(inputs, out);
  warn_of_map(inputs.tree, inputs.plan.map, out);
  return out;
}

}  // namespace relmpi
