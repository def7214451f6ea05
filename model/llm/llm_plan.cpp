#include "model/llm/llm_plan.h"

#include <algorithm>

#include "base/error.h"
#include "model/llm/modules.h"

namespace relmpi {
namespace {

// Places that --max-memory makes up are for rehearsals.
MemoryLimits limits_for(const LlmPlacement& asked, const MemoryLimits& free) {
  if (asked.max_memory.empty()) return free;
  MemoryLimits limits = parse_memory_limits(asked.max_memory);
  for (const auto& [place, bytes] : limits)
    if (place.is_gpu() && !asked.rehearse && !free.contains(place))
      throw InputError("--max-memory names GPU {}, which is not here; --rehearse tries a map on the CPU",
                       place.number);
  return limits;
}

void place_what_is_beside_weights(const LlmConfig& config, LlmPlan& plan) {
  const auto computes = [](Place place) { return place == Place::disk() ? Place::cpu() : place; };
  for (const auto& [place, bytes] : plan.weights)
    if (bytes > 0) plan.activations[computes(place)] = plan.need.activations;
  for (const auto& [place, layers] : layers_by_place(config, plan.map))
    plan.cache[computes(place)] += layers * plan.need.kv_cache_per_layer;
}

// A map counts weights only, and no reserve is kept of the host.
void demand_host_room(const LlmPlan& plan) {
  const Place host = Place::cpu();
  const std::int64_t limit = bytes_at(plan.limits, host);
  if (limit == 0 || !plan.cache.contains(host) || plan.bytes(host) <= limit) return;
  const auto mb = [](std::int64_t bytes) { return static_cast<double>(bytes) / 1e6; };
  throw InputError(
      "the host would hold {:.0f} MB of weights, {:.0f} MB of keys and values for {} text(s) of {} tokens, "
      "and {:.0f} MB of activations, but has {:.0f} MB; take fewer texts at once (--batch), shorter answers "
      "(--max-new-tokens) or --dtype bf16",
      mb(bytes_at(plan.weights, host)), mb(plan.cache.at(host)), plan.work.batch, plan.work.length,
      mb(plan.need.activations), mb(limit));
}

}  // namespace

std::int64_t bytes_at(const std::map<Place, std::int64_t>& bytes, Place place) {
  const auto found = bytes.find(place);
  return found == bytes.end() ? 0 : found->second;
}

std::set<Place> LlmPlan::places() const {
  std::set<Place> places;
  for (const auto* held : {&weights, &cache, &activations})
    for (const auto& [place, bytes] : *held) places.insert(place);
  return places;
}

std::int64_t LlmPlan::bytes(Place place) const {
  return bytes_at(weights, place) + bytes_at(cache, place) + bytes_at(activations, place);
}

void LlmPlan::demand_runnable() const {
  if (const std::string layer = split_layer(tree, map); !layer.empty())
    throw InputError("the device map splits {} over several places; relmpi runs a layer in one", layer);
  demand_host_room(*this);
}

LlmPlan plan_llm(const LlmConfig& config, const LlmPlacement& asked, Workload work,
                 const MemoryLimits& free) {
  LlmPlan plan{.dtype = weight_dtype(asked.dtype, config),
               .work = {work.batch, std::min(work.length, config.max_position_embeddings)},
               .choice = choose_placement(asked.placement),
               .limits = limits_for(asked, free),
               .rehearse = asked.rehearse};
  const int value_bytes = value_bytes_of(plan.dtype);
  plan.tree = decoder_tree(config, value_bytes);
  plan.need = memory_need(config, value_bytes, plan.work.batch, plan.work.length);
  plan.reserve = reserve_for(asked.reserve, plan.tree, config, plan.need, plan.limits);
  MemoryLimits left = without_reserve(plan.limits, plan.reserve);
  if (asked.max_memory.empty()) left = with_slack(left, plan.choice);
  Plan made = make_plan(plan.tree, left, plan.choice);
  plan.map = std::move(made.map);
  plan.weight_limits = std::move(made.limits);
  plan.weights = bytes_by_place(plan.tree, plan.map);
  place_what_is_beside_weights(config, plan);
  return plan;
}

}  // namespace relmpi
