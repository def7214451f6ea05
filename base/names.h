#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace relmpi {

// The values of an enumeration with the names that options and files give them.
template <typename Enum, std::size_t size>
using Names = std::array<std::pair<Enum, const char*>, size>;

template <typename Enum, std::size_t size>
std::string name_of(const Names<Enum, size>& names, Enum value) {
  for (const auto& [known, name] : names)
    if (known == value) return name;
  RELMPI_CHECK(false, "unnamed value of an enumeration");
}

// The value of that name; nothing if no value has it.
template <typename Enum, std::size_t size>
std::optional<Enum> find(const Names<Enum, size>& names, std::string_view text) {
  for (const auto& [value, name] : names)
    if (text == name) return value;
  return std::nullopt;
}

// The names for a message: "a, b or c".
template <typename Enum, std::size_t size>
std::string listed(const Names<Enum, size>& names, const char* before_the_last = " or ") {
  std::string text;
  for (std::size_t i = 0; i < size; ++i)
    text.append(i == 0 ? "" : i + 1 < size ? ", " : before_the_last).append(names[i].second);
  return text;
}

}  // namespace relmpi
