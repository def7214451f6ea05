#pragma once

#include "model/llm/decoder.h"
#include "model/llm/llm_folder.h"
#include "model/llm/llm_plan.h"

namespace relmpi {

// A decoder LLM with its weights, and what it was loaded from and by.
struct Llm {
  LlmFolder folder;
  LlmPlan plan;
  Decoder decoder;
};

// Reads the weights to where the plan has them. A rehearsed plan's GPUs are all this machine's CPU. Throws
// InputError: what places_of, plan.demand_runnable and load_llm_weights say.
Llm load_llm(LlmFolder folder, LlmPlan plan);

// The slots of a map: one for each place it names. `rehearse`: all of them on the CPU. Throws InputError for
// weights on disk and for a module in several places.
LlmPlaces places_of(const DeviceMap& map, const LlmConfig& config, bool rehearse);

}  // namespace relmpi
