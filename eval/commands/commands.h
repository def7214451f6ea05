#pragma once

#include "base/tool.h"

namespace relmpi {

// The commands of relmpi-eval, each in the file of its name.
void add_csc(Tool& tool);
void add_strategies(Tool& tool);
void add_decode(Tool& tool);
void add_likelihood(Tool& tool);
void add_diagnose(Tool& tool);
void add_mdp(Tool& tool);
void add_score(Tool& tool);
void add_compare(Tool& tool);

}  // namespace relmpi
