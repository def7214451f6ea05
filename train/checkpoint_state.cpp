#include "train/checkpoint_state.h"

#include "base/error.h"

namespace relmpi {

using nlohmann::json;

json to_json(const TrainState& s) {
  return {{"step", s.step},
          {"epoch", s.epoch},
          {"step_in_epoch", s.step_in_epoch},
          {"best_metric", s.best_metric},
          {"best_step", s.best_step},
          {"evaluations_without_best", s.evaluations_without_best},
          {"identity", s.identity},
          {"metrics", s.metrics}};
}

TrainState state_from(const json& document, const std::string& file) {
  try {
    TrainState s;
    s.step = document.at("step");
    s.epoch = document.at("epoch");
    s.step_in_epoch = document.at("step_in_epoch");
    s.best_metric = document.at("best_metric");
    s.best_step = document.at("best_step");
    s.evaluations_without_best = document.at("evaluations_without_best");
    s.identity = document.at("identity");
    s.metrics = document.at("metrics");
    return s;
  } catch (const json::exception& error) {
    throw InputError("{}: {}", file, error.what());
  }
}

}  // namespace relmpi
