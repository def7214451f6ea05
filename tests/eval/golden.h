#pragma once

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"

namespace relmpi {

// A golden file of this folder, written by a script of tests/reference/.
inline nlohmann::json read_golden(const char* name) {
  return nlohmann::json::parse(read_file(std::filesystem::path(RELMPI_GOLDEN_DIR) / name));
}

// One of its lists of cases, by value, so that it outlives a range-for; never empty.
inline nlohmann::json golden_cases(const char* name, const char* key) {
  nlohmann::json cases = read_golden(name).at(key);
  if (!cases.is_array() || cases.empty()) throw RuntimeError("{} has no cases of {}", name, key);
  return cases;
}

}  // namespace relmpi
