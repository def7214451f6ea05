#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "train/options.h"
#include "train/run_setup.h"

namespace relmpi {

// What makes a run this run: data, vocabulary, shape and recipe, by name. Not the number of ranks,
// micro-batches and other matters of speed.
nlohmann::json run_identity(const TrainOptions& options, const Setup& setup, std::int64_t total_steps);

// What differs between the identity that a run was started with and today's: [{"name","before","after"}].
// Throws InputError with a list of it unless every name is in `allowed` (--allow-change). Throws too for a
// name in `allowed` that cannot change within a run or does not exist, and for a run of an older relmpi,
// whose identity has numbers in place of names.
nlohmann::json changes_since(const nlohmann::json& before, const nlohmann::json& now,
                             const std::vector<std::string>& allowed);

}  // namespace relmpi
