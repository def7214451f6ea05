#pragma once

#include <cstdint>
#include <string_view>

namespace relmpi {

// The classes of characters that the patterns of byte-level tokenizers ask for, as bits.
enum CharacterClass : std::uint8_t {
  kLetter = 1,   // category L
  kNumber = 2,   // category N
  kSpace = 4,    // White_Space
  kNewline = 8,  // \r and \n, which are kSpace too
};

// The classes of every code point (ICU's Unicode version); 0x110000 entries.
const std::uint8_t* character_classes();

struct Character {
  char32_t code;
  std::size_t length;  // bytes
};

// The character at a place of valid UTF-8.
inline Character character_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t k) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[at + k]));
  };
  const char32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {((lead & 0x1F) << 6) | (byte(1) & 0x3F), 2};
  if (lead < 0xF0) return {((lead & 0xF) << 12) | ((byte(1) & 0x3F) << 6) | (byte(2) & 0x3F), 3};
  return {((lead & 7) << 18) | ((byte(1) & 0x3F) << 12) | ((byte(2) & 0x3F) << 6) | (byte(3) & 0x3F), 4};
}

}  // namespace relmpi
