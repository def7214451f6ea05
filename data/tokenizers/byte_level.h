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

// The text of a token in those characters.
std::string byte_level_text(std::string_view bytes);

// The bytes that a token in those characters stands for; nothing where it holds any other character.
std::optional<std::string> byte_level_bytes(std::string_view token);

// One step over bytes that may be UTF-8.
struct Utf8Step {
  enum class Kind {
    kCharacter,   // `length` bytes are one character
    kBroken,      // `length` bytes begin no character, whatever follows (one U+FFFD stands for them)
    kUnfinished,  // the `length` bytes up to the end could become one
  };
  Kind kind;
  std::size_t length;  // at least 1
};

// Looks at bytes[begin], which must exist. Strict as RFC 3629; broken bytes are taken in the longest pieces
// that begin a character (Unicode 15, section 3.9, "maximal subparts"; Rust's from_utf8_lossy does so too).
Utf8Step utf8_step(std::string_view bytes, std::size_t begin);

// The text with U+FFFD for what is not UTF-8.
std::string utf8_lossy(std::string_view bytes);

// The first byte that is not UTF-8; nothing where all of it is.
std::optional<std::size_t> first_invalid_utf8(std::string_view bytes);

}  // namespace relmpi
