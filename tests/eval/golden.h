#pragma once

#include <nlohmann/json.hpp>

#include "base/files.h"

namespace relmpi {

// A golden file of this folder, written by a script of tests/reference/.
inline nlohmann::json read_golden(const char* name) {
  return nlohmann::json::parse(read_file(std::filesystem::path(RELMPI_GOLDEN_DIR) / name));
}

}  // namespace relmpi
