#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "dist/placement/placement_options.h"
#include "model/llm/memory_need.h"

namespace relmpi {

// What is to be run with a model: the texts at once and the tokens of the longest one, prompt and answer.
struct Workload {
  std::int64_t batch = 1, length = 4096;
};

// What a user says about loading a decoder LLM: in what type, and where.
struct LlmPlacement {
  std::string dtype;  // fp32, bf16 or fp16; empty: as the weights are stored
  PlacementOptions placement;
  std::string max_memory;        // what parse_memory_limits reads; empty: what is free
  std::string reserve = "auto";  // kept free on each GPU: a size, or auto (for the workload)
  bool rehearse = false;         // GPUs that are named need not be here
};

// Where the parts of a decoder LLM go, and the memory that they take there with what runs in them.
struct LlmPlan {
  at::ScalarType dtype = at::kFloat;
  Workload work;
  ModelTree tree;
  PlacementChoice choice;
  MemoryLimits limits;                    // of the devices
  std::map<Place, std::int64_t> reserve;  // of these, kept free of weights
  MemoryLimits weight_limits;             // what the strategy let weights take
  DeviceMap map;
  MemoryNeed need;
  // Bytes in each place. Layers on disk keep their cache on the host, where they are computed.
  std::map<Place, std::int64_t> weights, cache, activations;
  bool rehearse = false;

  std::set<Place> places() const;         // that hold something
  std::int64_t bytes(Place place) const;  // weights, cache and activations
  // Throws InputError for what only the engine refuses: a layer in several places, more on the host than it
  // has.
  void demand_runnable() const;
};

// What a place has of these; 0 if it is not named.
std::int64_t bytes_at(const std::map<Place, std::int64_t>& bytes, Place place);

// The plan for this workload, its length cut to the model's context, on devices with so much memory free;
// relmpi-doctor plan shows it, load_llm loads by it. Throws InputError: what weight_dtype, choose_placement,
// memory_need, parse_memory_limits, reserve_for and make_plan say, and for --max-memory of a GPU that is not
// here.
LlmPlan plan_llm(const LlmConfig& config, const LlmPlacement& asked, Workload work, const MemoryLimits& free);

}  // namespace relmpi
