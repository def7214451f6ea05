#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "model/llm/llm_plan.h"

namespace relmpi {

// What relmpi-doctor plan says of a plan: one document, in the order of the modules, or a table for a person.
nlohmann::ordered_json to_json(const LlmPlan& plan);
std::string to_text(const LlmPlan& plan);

}  // namespace relmpi
