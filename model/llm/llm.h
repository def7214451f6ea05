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
// InputError for weights on disk, for a module in several places, and what plan.demand_runnable and
// load_llm_weights say.
Llm load_llm(LlmFolder folder, LlmPlan plan);

}  // namespace relmpi
