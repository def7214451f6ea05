#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relmpi {

// Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. Nothing where the text
// is not.
std::optional<std::u32string> decode_utf8(std::string_view text);

std::string encode_utf8(std::u32string_view text);
void append_utf8(std::string& out, char32_t character);

}  // namespace relmpi
