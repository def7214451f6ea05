#pragma once

#include <cstdint>
#include <map>
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
  nlohmann::json identity;          // what must be the same to go on: data, vocabulary, shape, recipe
  nlohmann::json metrics;           // metric by step of the checkpoints that were evaluated, {"100": 0.51}
  bool evaluation_pending = false;  // this step's evaluation was cut short by a request to stop
  nlohmann::json changes = nlohmann::json::array();  // --allow-change: {"step","name","before","after"}
};

// state.json.
nlohmann::json to_json(const TrainState& state);
// Reads it; `file` is named in errors. Throws InputError for what is missing, of the wrong kind, or negative
// if a count is meant.
TrainState parse_state(const std::string& text, const std::string& file);

// COMPLETE: which step it is, and the XXH3-128 of each file.
struct CompleteMark {
  std::int64_t step = 0;
  std::map<std::string, std::string> files;
};

std::string complete_text(const CompleteMark& mark);
// Throws InputError for everything but the very bytes that complete_text() writes: no damage to the layout
// can pass, and whether step and files are right is the caller's question.
CompleteMark parse_complete(const std::string& text, const std::string& file);

}  // namespace relmpi
