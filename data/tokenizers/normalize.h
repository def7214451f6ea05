#pragma once

#include <string>
#include <string_view>

namespace relmpi {

// Normalisation form C of valid UTF-8 (ICU's Unicode version). `scratch` holds the result if it differs
// from the text.
std::string_view compose_utf8(std::string_view text, std::string& scratch);

}  // namespace relmpi
