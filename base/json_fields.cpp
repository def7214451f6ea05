#include "base/json_fields.h"

#include <algorithm>
#include <utility>

namespace relmpi {

using Json = nlohmann::json;

JsonFields::JsonFields(const Json& object, std::string source) : object_(object), source_(std::move(source)) {
  if (!object_.is_object()) throw InputError("{}: {}; an object was expected", source_, shown(object_));
}

const Json* JsonFields::find(const char* name) const {
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const Json& JsonFields::at(const char* name) const {
  const Json* found = find(name);
  if (found == nullptr) throw InputError("{}: the field \"{}\" is missing", source_, name);
  return *found;
}

const Json& JsonFields::of_kind(const char* name, bool (*is_kind)(const Json&), const char* kind) const {
  const Json& found = at(name);
  if (is_kind(found)) return found;
  throw InputError("{}: the field \"{}\" has the value {}, which is of the wrong kind: it must be {}",
                   source_, name, shown(found), kind);
}

bool JsonFields::flag(const char* name) const {
  return of_kind(
             name, [](const Json& value) { return value.is_boolean(); }, "true or false")
      .get<bool>();
}

std::int64_t JsonFields::integer(const char* name) const {
  return of_kind(name, is_whole_number, "a whole number").get<std::int64_t>();
}

std::int64_t JsonFields::count(const char* name) const {
  const std::int64_t value = integer(name);
  if (value < 0) wrong(name, value, "at least 0");
  return value;
}

double JsonFields::number(const char* name) const {
  return of_kind(
             name, [](const Json& value) { return value.is_number(); }, "a number")
      .get<double>();
}

std::string JsonFields::text(const char* name) const {
  return of_kind(
             name, [](const Json& value) { return value.is_string(); }, "a text")
      .get<std::string>();
}

const Json& JsonFields::array(const char* name) const {
  return of_kind(
      name, [](const Json& value) { return value.is_array(); }, "an array");
}

const Json& JsonFields::object(const char* name) const {
  return of_kind(
      name, [](const Json& value) { return value.is_object(); }, "an object");
}

void JsonFields::demand_only(std::initializer_list<std::string_view> names) const {
  for (const auto& [name, value] : object_.items())
    if (std::ranges::find(names, name) == names.end())
      throw InputError("{}: the field {} is unknown", source_, shown(name));
}

void JsonFields::wrong(const char* name, const Json& value, std::string_view wanted) const {
  throw InputError("{}: the field \"{}\" has the value {}, but must be {}", source_, name, shown(value),
                   wanted);
}

std::string JsonFields::shown(const Json& value) {
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > 80) text = text.substr(0, 77) + "...";
  return text;
}

}  // namespace relmpi
