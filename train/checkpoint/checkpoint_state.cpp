#include "train/checkpoint/checkpoint_state.h"

#include "base/error.h"
#include "base/json.h"

namespace relmpi {
namespace {

using nlohmann::json;

// Reads the fields of one object; errors name the file and the field.
class Fields {
 public:
  Fields(const json& object, const std::string& file) : object_(object), file_(file) {
    if (!object.is_object()) throw InputError("{}: a JSON object was expected", file);
  }

  const json& field(const char* name) const {
    const auto found = object_.find(name);
    if (found == object_.end()) throw InputError("{}: the field \"{}\" is missing", file_, name);
    return *found;
  }

  std::int64_t count(const char* name) const {
    const json& value = field(name);
    if (!is_whole_number(value) || value < 0) wrong(name, value);
    return value.get<std::int64_t>();
  }

  double number(const char* name) const {
    const json& value = field(name);
    if (!value.is_number()) wrong(name, value);
    return value.get<double>();
  }

  // null where nothing was put into it.
  const json& object(const char* name) const {
    const json& value = field(name);
    if (!value.is_object() && !value.is_null()) wrong(name, value);
    return value;
  }

  [[noreturn]] void wrong(const char* name, const json& value) const {
    throw InputError("{}: the field \"{}\" has the impossible value {}", file_, name, value.dump());
  }

 private:
  const json& object_;
  const std::string& file_;
};

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
  const Fields fields(document, file);
  TrainState s;
  s.step = fields.count("step");
  s.epoch = fields.count("epoch");
  s.step_in_epoch = fields.count("step_in_epoch");
  s.best_metric = fields.number("best_metric");
  s.best_step = fields.count("best_step");
  s.evaluations_without_best = fields.count("evaluations_without_best");
  s.identity = fields.object("identity");
  s.metrics = fields.object("metrics");
  for (const json& metric : s.metrics)
    if (!metric.is_number()) fields.wrong("metrics", s.metrics);
  if (!fields.field("evaluation_pending").is_boolean())
    fields.wrong("evaluation_pending", fields.field("evaluation_pending"));
  s.evaluation_pending = fields.field("evaluation_pending");
  s.changes = fields.field("changes");
  if (!s.changes.is_array()) fields.wrong("changes", s.changes);
  return s;
}

std::string complete_text(const CompleteMark& mark) {
  return json{{"step", mark.step}, {"files", mark.files}}.dump(2) + "\n";
}

CompleteMark parse_complete(const std::string& text, const std::string& file) {
  const json document = parse_json(text, file);
  const Fields fields(document, file);
  CompleteMark mark;
  mark.step = fields.count("step");
  for (const auto& [name, hash] : fields.object("files").items()) {
    if (!hash.is_string()) fields.wrong("files", hash);
    mark.files[name] = hash.get<std::string>();
  }
  if (complete_text(mark) != text) throw InputError("{}: not as it was written: it is damaged", file);
  return mark;
}

}  // namespace relmpi
