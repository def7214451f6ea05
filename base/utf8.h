#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace relmpi {

// One step over bytes that may be UTF-8.
struct Utf8Step {
  enum class Kind {
    kCharacter,   // `length` bytes are `character`
    kBroken,      // `length` bytes begin no character, whatever follows (one U+FFFD stands for them)
    kUnfinished,  // the `length` bytes up to the end could become one
  };
  Kind kind;
  std::size_t length;  // at least 1
  char32_t character;  // 0 unless the kind is kCharacter
};

// Looks at bytes[begin], which must exist. The only decoder here: strict as RFC 3629 (no overlong forms, no
// surrogates, nothing above U+10FFFF); broken bytes are taken in the longest pieces that begin a character
// (Unicode 15, section 3.9, "maximal subparts"; Rust's from_utf8_lossy does so too).
inline Utf8Step utf8_step(std::string_view bytes, std::size_t begin) {
  using Kind = Utf8Step::Kind;
  const auto at = [&](std::size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(bytes[i])); };
  const char32_t lead = at(begin);
  if (lead < 0x80) return {Kind::kCharacter, 1, lead};
  if (lead < 0xC2 || lead > 0xF4) return {Kind::kBroken, 1, 0};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  // The second byte is bounded so that overlong forms, surrogates and what is above U+10FFFF are out.
  char32_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  char32_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  char32_t character = lead & (0x7FU >> length);
  for (std::size_t k = 1; k < length; ++k) {
    if (begin + k == bytes.size()) return {Kind::kUnfinished, k, 0};
    const char32_t byte = at(begin + k);
    if (byte < low || byte > high) return {Kind::kBroken, k, 0};
    character = (character << 6) | (byte & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {Kind::kCharacter, length, character};
}

// What some editors put before the first line of a file.
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// The characters of the text; nothing if it is not UTF-8.
std::optional<std::u32string> decode_utf8(std::string_view text);

// The text with U+FFFD for what is not UTF-8.
std::string utf8_lossy(std::string_view bytes);

// The first byte that is not UTF-8; nothing if all of it is.
std::optional<std::size_t> first_invalid_utf8(std::string_view bytes);

std::string encode_utf8(std::u32string_view text);
void append_utf8(std::string& out, char32_t character);

}  // namespace relmpi
