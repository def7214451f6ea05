#pragma once

#include <fmt/format.h>

#include <string_view>

#include "base/error.h"

namespace relmpi {

// `demand` for a field of a model's configuration, which may stand in a file or come from options.
template <typename T>
void demand_setting(bool holds, std::string_view field, const T& value, std::string_view rule) {
  demand(holds, fmt::format("model configuration: {}", field), value, rule);
}

}  // namespace relmpi
