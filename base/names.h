#pragma once

#include <array>
#include <cstddef>
#include <string>
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

}  // namespace relmpi
