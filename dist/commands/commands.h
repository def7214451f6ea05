#pragma once

#include "base/tool.h"

namespace relmpi {

// The commands of relmpi-doctor, each in the file of its name.
void add_devices(Tool& tool);
void add_environment(Tool& tool);
void add_allreduce(Tool& tool);
void add_plan(Tool& tool);
void add_selftest(Tool& tool);

}  // namespace relmpi
