#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace relmpi {

// What a run has to remember besides weights and moments.
struct TrainState {
  std::int64_t step = 0;           // steps done
  std::int64_t epoch = 0;          // of the next step
  std::int64_t step_in_epoch = 0;  // of the next step
  double best_metric = -1;
  std::int64_t best_step = 0;
  std::int64_t evaluations_without_best = 0;
  nlohmann::json identity;  // what must be the same to go on: data, vocabulary, shape, recipe
  nlohmann::json metrics;   // metric by step of the checkpoints that were evaluated, {"100": 0.51}
};

nlohmann::json to_json(const TrainState& state);

// Throws InputError naming `file` for what is missing or of the wrong kind.
TrainState state_from(const nlohmann::json& document, const std::string& file);

}  // namespace relmpi
