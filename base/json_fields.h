#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "base/json.h"

namespace relmpi {

// Reads typed fields of one JSON object (bool, std::int64_t, double, std::string). Throws InputError naming
// the file and the field for a value of the wrong kind, and for a required one that is missing. A null counts
// as missing, as in Hugging Face's files.
class JsonFields {
 public:
  // `file` names the object in errors. Throws InputError when it is no object. Keeps a reference to it.
  JsonFields(const nlohmann::json& object, std::string file) : object_(object), file_(std::move(file)) {
    if (!object_.is_object()) throw InputError("{}: a JSON object was expected", file_);
  }

  bool has(const char* name) const { return object_.contains(name) && !object_.at(name).is_null(); }
  const std::string& file() const { return file_; }

  // Leaves `value` as it is where the field is missing. Says whether it was there.
  template <typename T>
  bool read(const char* name, T& value, bool required = false) const {
    if (!has(name)) {
      if (required) throw InputError("{}: the field \"{}\" is missing", file_, name);
      return false;
    }
    const nlohmann::json& found = object_.at(name);
    bool right = found.is_string();
    if constexpr (std::is_same_v<T, std::int64_t>) right = is_whole_number(found);
    if constexpr (std::is_same_v<T, double>) right = found.is_number();
    if constexpr (std::is_same_v<T, bool>) right = found.is_boolean();
    if (!right)
      throw InputError("{}: the field \"{}\" has the value {}, which is of the wrong kind", file_, name,
                       found.dump());
    value = found.get<T>();
    return true;
  }

 private:
  const nlohmann::json& object_;
  std::string file_;
};

// Throws InputError naming the field of a model's configuration where its value does not hold to the rule.
inline void demand_setting(bool holds, const char* field, double value, const char* rule) {
  if (!holds) throw InputError("model configuration: {} is {}, but must be {}", field, value, rule);
}

}  // namespace relmpi
