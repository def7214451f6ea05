#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "model/llm/llm_plan.h"

namespace relmpi {

// relmpi-doctor plan: where the parts of a decoder LLM would go, on the devices here or on those of
// --max-memory.
struct PlanOptions {
  std::string model_config;  // config.json, or the folder that holds it
  LlmPlacement where;
  std::int64_t batch = 1;
  std::optional<std::int64_t> length;  // tokens; default: the model's context, at most 4096

  // Weights alone, unless more is asked for; GPUs that are named need not be here.
  PlanOptions() {
    where.reserve = "0";
    where.rehearse = true;
  }
};

void add_plan_options(CLI::App& command, PlanOptions& options);

LlmPlan make_plan(const PlanOptions& options);

}  // namespace relmpi
