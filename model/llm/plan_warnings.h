#pragma once

#include <map>
#include <string>
#include <vector>

#include "dist/placement/placement_options.h"
#include "model/llm/memory_need.h"

namespace relmpi {

// What a plan holds beside the weights. Layers on disk keep their cache on the host, where they are computed.
struct BesideWeights {
  std::map<Place, std::int64_t> cache, activations;

  BesideWeights(const LlmConfig& config, const MemoryNeed& need, const DeviceMap& map,
                const std::map<Place, std::int64_t>& weights);
  std::int64_t at(Place place) const;
};

// A plan and what it was made of.
struct PlanInputs {
  const ModelTree& tree;
  const PlacementChoice& choice;
  const MemoryLimits& limits;  // before the reserve was taken off
  const std::map<Place, std::int64_t>& reserve;
  const Plan& plan;
  const std::map<Place, std::int64_t>& weights;
  const BesideWeights& beside;
};

// What will hurt whoever runs the plan, a sentence each.
std::vector<std::string> plan_warnings(const PlanInputs& inputs);

}  // namespace relmpi
