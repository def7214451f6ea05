#include "train/checkpoint/checkpoint_state.h"

#include "base/json_fields.h"

namespace relmpi {
namespace {

using nlohmann::json;

// null if nothing was put into it.
json object_or_null(const json& document, const JsonFields& fields, const char* name) {
  return document.contains(name) && !fields.has(name) ? json() : fields.object(name);
}

}  // namespace

json to_json(const TrainState& s) {
  return {{"step", s.step},
          {"epoch", s.epoch},
          {"step_in_epoch", s.step_in_epoch},
          {"best_metric", s.best_metric},
          {"best_step", s.best_step},
          {"evaluations_without_best", s.evaluations_without_best},
          {"identity", s.identity},
          {"metrics", s.metrics},
          {"evaluation_pending", s.evaluation_pending},
          {"changes", s.changes}};
}

TrainState parse_state(const std::string& text, const std::string& file) {
  const json document = parse_json(text, file);
  const JsonFields fields(document, file);
  TrainState s;
  s.step = fields.count("step");
  s.epoch = fields.count("epoch");
  s.step_in_epoch = fields.count("step_in_epoch");
  s.best_metric = fields.number("best_metric");
  s.best_step = fields.count("best_step");
  s.evaluations_without_best = fields.count("evaluations_without_best");
  s.identity = object_or_null(document, fields, "identity");
  s.metrics = object_or_null(document, fields, "metrics");
  for (const json& metric : s.metrics)
    if (!metric.is_number()) fields.wrong("metrics", s.metrics, "numbers");
  s.evaluation_pending = fields.flag("evaluation_pending");
  s.changes = fields.array("changes");
  return s;
}

std::string complete_text(const CompleteMark& mark) {
  return json{{"step", mark.step}, {"files", mark.files}}.dump(2) + "\n";
}

CompleteMark parse_complete(const std::string& text, const std::string& file) {
  const json document = parse_json(text, file);
  const JsonFields fields(document, file);
  CompleteMark mark;
  mark.step = fields.count("step");
  for (const auto& [name, hash] : fields.object("files").items()) {
    if (!hash.is_string()) fields.wrong("files", hash, "the hash of each file");
    mark.files[name] = hash.get<std::string>();
  }
  if (complete_text(mark) != text) throw InputError("{}: not as it was written: it is damaged", file);
  return mark;
}

}  // namespace relmpi
