#pragma once

#include <span>
#include <string>

#include "dist/devices/gpus.h"
#include "dist/ranks/allreduce_speed.h"
#include "dist/ranks/environment.h"

namespace relmpi {

// The tables that relmpi-doctor prints for a person.
std::string to_text(const JobEnvironment& environment);
std::string to_text(std::span<const Gpu> gpus);
std::string to_text(const AllreduceSpeed& speed);

}  // namespace relmpi
