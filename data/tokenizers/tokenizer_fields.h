#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/json.h"

namespace relmpi {

// Reads typed fields of one JSON object; errors name the place, such as "tokenizer.json: model".
class JsonFields {
 public:
  // Keeps a reference to `object`. Throws InputError where it is no object.
  JsonFields(const nlohmann::json& object, std::string place) : object_(object), place_(std::move(place)) {
    if (!object_.is_object()) throw InputError("{}: an object was expected", place_);
  }

  const std::string& place() const { return place_; }

  // The value; nullptr where the field is missing or null.
  const nlohmann::json* find(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  const nlohmann::json& at(const char* name) const {
    const auto* found = find(name);
    if (found == nullptr) throw InputError("{}: the field \"{}\" is missing", place_, name);
    return *found;
  }
  bool flag(const char* name, bool otherwise) const {
    const auto* found = find(name);
    if (found == nullptr) return otherwise;
    if (!found->is_boolean()) wrong(name, *found, "true or false");
    return found->get<bool>();
  }
  std::string text(const char* name) const {
    const auto& found = at(name);
    if (!found.is_string()) wrong(name, found, "a text");
    return found.get<std::string>();
  }
  std::string text(const char* name, const char* otherwise) const {
    return find(name) == nullptr ? otherwise : text(name);
  }
  const nlohmann::json& array(const char* name) const {
    const auto& found = at(name);
    if (!found.is_array()) wrong(name, found, "an array");
    return found;
  }

  [[noreturn]] void wrong(const char* name, const nlohmann::json& value, const char* wanted) const {
    throw InputError("{}: the field \"{}\" has the value {}, but must be {}", place_, name, shown(value),
                     wanted);
  }
  // A setting that is understood but not built.
  [[noreturn]] void unsupported(const char* name, const nlohmann::json& value, const char* what) const {
    throw InputError(
        "{}: \"{}\" is {}; relmpi reads byte-level BPE tokenizers as Llama 3, SmolLM2 and Qwen have them "
        "({})",
        place_, name, shown(value), what);
  }

  // The value as JSON, cut where it is long.
  static std::string shown(const nlohmann::json& value) {
    std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    if (text.size() > 80) text = text.substr(0, 77) + "...";
    return text;
  }

 private:
  const nlohmann::json& object_;
  std::string place_;
};

}  // namespace relmpi
