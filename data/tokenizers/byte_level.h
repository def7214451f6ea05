#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace relmpi {

// Byte-level tokens (Radford et al. 2019) write each of the 256 bytes as one printable character: those that
// print in Latin-1 as themselves, the others as U+0100 and up ("Ġ" is a space).

// The character of each byte.
const std::array<char32_t, 256>& byte_characters();

// The bytes that a token in those characters stands for; nothing if it holds any other character.
std::optional<std::string> byte_level_bytes(std::string_view token);

}  // namespace relmpi
