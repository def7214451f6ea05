#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/names.h"

namespace relmpi {

// Declares an option that takes one of the names, which --help lists. `names` must outlive the app. Another
// text is a CLI::ValidationError, which a Tool ends with as it does with an InputError.
template <typename Enum, std::size_t size>
CLI::Option* add_choice(CLI::App& app, const std::string& option, Enum& value, const Names<Enum, size>& names,
                        const std::string& help) {
  const std::string known = listed(names, ", ");
  const auto choose = [&value, &names, known, option](const std::string& text) {
    const auto found = find(names, text);
    if (!found) throw CLI::ValidationError(option, "'" + text + "' is not one of: " + known);
    value = *found;
  };
  return app.add_option_function<std::string>(option, choose, help + " (" + known + ")")
      ->default_str(name_of(names, value))
      ->type_name("TEXT");
}

}  // namespace relmpi
