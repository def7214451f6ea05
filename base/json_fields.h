#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/error.h"
#include "base/json.h"

namespace relmpi {

// Reads typed fields of one JSON object. Each error is an InputError that names the source, the field, its
// value and what it must be. A null counts as missing, as in Hugging Face's files.
class JsonFields {
 public:
  // `source` names the object in errors, such as "tokenizer.json: model". Throws if it is no object. Keeps a
  // reference to it.
  JsonFields(const nlohmann::json& object, std::string source);
  JsonFields(const nlohmann::json&& object, std::string source) = delete;

  const std::string& source() const { return source_; }

  // nullptr if the field is missing.
  const nlohmann::json* find(const char* name) const;
  bool has(const char* name) const { return find(name) != nullptr; }

  // These throw if the field is missing or of another kind.
  const nlohmann::json& at(const char* name) const;  // of any kind
  bool flag(const char* name) const;
  std::int64_t integer(const char* name) const;
  std::int64_t count(const char* name) const;  // an integer from 0 on
  double number(const char* name) const;
  std::string text(const char* name) const;
  const nlohmann::json& array(const char* name) const;
  const nlohmann::json& object(const char* name) const;

  // `otherwise` if the field is missing.
  bool flag(const char* name, bool otherwise) const { return has(name) ? flag(name) : otherwise; }
  std::string text(const char* name, const char* otherwise) const {
    return has(name) ? text(name) : otherwise;
  }

  // Leaves `value` (bool, std::int64_t, double, std::string) as it is if the field is missing. Says whether
  // it was there.
  template <typename T>
  bool read(const char* name, T& value) const {
    if (!has(name)) return false;
    if constexpr (std::is_same_v<T, bool>) {
      value = flag(name);
    } else if constexpr (std::is_same_v<T, std::int64_t>) {
      value = integer(name);
    } else if constexpr (std::is_same_v<T, double>) {
      value = number(name);
    } else {
      value = text(name);
    }
    return true;
  }

  // Throws if the object has a field of another name.
  void demand_only(std::initializer_list<std::string_view> names) const;

  // For a value of the right kind that cannot be taken.
  [[noreturn]] void wrong(const char* name, const nlohmann::json& value, std::string_view wanted) const;

  // The value as JSON, cut if it is long.
  static std::string shown(const nlohmann::json& value);

 private:
  const nlohmann::json& of_kind(const char* name, bool (*is_kind)(const nlohmann::json&),
                                const char* kind) const;

  const nlohmann::json& object_;
  std::string source_;
};

}  // namespace relmpi
