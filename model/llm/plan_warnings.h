#pragma once

#include <string>
#include <vector>

#include "model/llm/llm_plan.h"

namespace relmpi {

// What will hurt whoever runs the plan, a sentence each.
std::vector<std::string> plan_warnings(const LlmPlan& plan);

}  // namespace relmpi
