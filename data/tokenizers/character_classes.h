#pragma once

#include <cstdint>

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

}  // namespace relmpi
