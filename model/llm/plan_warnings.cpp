#include "model/llm/plan_warnings.h"

#include <fmt/core.h>

#include <algorithm>

namespace relmpi {
namespace {

double gib(std::int64_t bytes) { return static_cast<double>(bytes) / (1 << 30); }

// Whether the limits decided where layers went, not the user.
bool by_limits(const PlacementChoice& choice) {
  return std::holds_alternative<Strategy>(choice.what) ||
         std::holds_alternative<std::vector<int>>(choice.what);
}

void warn_of_offload(const LlmPlan& plan, std::vector<std::string>& out) {
  const bool gpus = std::ranges::any_of(plan.limits, [](const auto& limit) { return limit.first.is_gpu(); });
  if (const auto bytes = bytes_at(plan.weights, Place::cpu()); bytes > 0 && gpus && by_limits(plan.choice))
    out.push_back(
        fmt::format("{:.2f} GiB of weights stay on the host, whose memory is many times slower than a GPU's; "
                    "fewer bytes (--dtype bf16), a smaller model or one more GPU would avoid it",
                    gib(bytes)));
  if (const auto bytes = bytes_at(plan.weights, Place::disk()); bytes > 0)
    out.push_back(fmt::format(
        "{:.2f} GiB of weights stay on disk, from which relmpi-eval does not run; give more memory "
        "(--max-memory), a smaller dtype (--dtype bf16) or a smaller model",
        gib(bytes)));
}

void warn_of_reserve(const LlmPlan& plan, std::vector<std::string>& out) {
  if (!by_limits(plan.choice)) return;
  for (const auto& [place, reserve] : plan.reserve) {
    const std::int64_t limit = plan.limits.at(place);
    if (limit > 0 && reserve >= limit && plan.weight_limits.contains(place))
      out.push_back(
          fmt::format("the reserve takes all {:.2f} GiB of {}, so that no layer goes there; take a smaller "
                      "--batch, --length or --reserve",
                      gib(limit), device_name(place)));
  }
}

void warn_of_shortage(const LlmPlan& plan, std::vector<std::string>& out) {
  for (const Place place : plan.places()) {
    const auto limit = plan.limits.find(place);
    const std::int64_t need = plan.bytes(place);
    if (place == Place::disk() || limit == plan.limits.end() || need <= limit->second) continue;
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

std::vector<std::string> plan_warnings(const LlmPlan& plan) {
  std::vector<std::string> out;
  warn_of_offload(plan, out);
  warn_of_reserve(plan, out);
  warn_of_shortage(plan, out);
  warn_of_map(plan.tree, plan.map, out);
  return out;
}

}  // namespace relmpi
