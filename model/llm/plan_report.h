#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "dist/placement/placement_options.h"

namespace relmpi {

// relmpi-doctor plan: where the parts of a decoder LLM would go. Part of the program, not of dist/'s library:
// it reads the model's configuration, which belongs to model/.
struct PlanOptions {
  std::string model_config;  // config.json, or the folder that holds it
  std::string dtype;         // bf16, fp16, fp32; "" for the model's own
  std::string max_memory;    // "" for what the devices have free
  PlacementOptions placement;
  std::string reserve = "0";  // a size, or auto
  std::int64_t batch = 1;
  std::optional<std::int64_t> length;  // tokens; default: the model's context, at most 4096
};

// Adds the options to the command, which fills `options`.
void add_plan_options(CLI::App& command, PlanOptions& options);

// The document of INTERFACES, in the order of the modules. `devices`: what describe_devices() says, asked for
// only where no --max-memory is given. Throws InputError.
nlohmann::ordered_json make_plan_document(const PlanOptions& options, nlohmann::json (*devices)());

// The table for a person.
std::string plan_text(const nlohmann::ordered_json& document);

}  // namespace relmpi
