#include "data/tokenizers/byte_level.h"

#include "base/error.h"
#include "base/utf8.h"

namespace relmpi {
namespace {

constexpr std::size_t kCharacters = 0x144;  // one above the largest character

bool prints_as_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

// The byte of each character, or -1.
const std::array<int, kCharacters>& character_bytes() {
  static const auto bytes = [] {
    std::array<int, kCharacters> all;
    all.fill(-1);
    for (std::size_t byte = 0; byte < 256; ++byte) all.at(byte_characters()[byte]) = static_cast<int>(byte);
    return all;
  }();
  return bytes;
}

bool all_ascii(std::string_view bytes) {
  for (const char c : bytes)
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  return true;
}

}  // namespace

const std::array<char32_t, 256>& byte_characters() {
  static const auto characters = [] {
    std::array<char32_t, 256> all{};
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte)
      all[static_cast<std::size_t>(byte)] = prints_as_itself(byte) ? static_cast<char32_t>(byte) : next++;
    RELMPI_CHECK(next == kCharacters, "{}", static_cast<std::uint32_t>(next));
    return all;
  }();
  return characters;
}

std::string byte_level_text(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) append_utf8(text, byte_characters()[static_cast<unsigned char>(c)]);
  return text;
}

std::optional<std::string> byte_level_bytes(std::string_view token) {
  const auto characters = decode_utf8(token);
  if (!characters) return std::nullopt;
  std::string bytes;
  for (const char32_t c : *characters) {
    const int byte = c < kCharacters ? character_bytes()[c] : -1;
    if (byte < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

Utf8Step utf8_step(std::string_view bytes, std::size_t begin) {
  using Kind = Utf8Step::Kind;
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned lead = at(begin);
  if (lead < 0x80) return {Kind::kCharacter, 1};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4) return {Kind::kBroken, 1};
  // The second byte is bounded so that overlong forms, surrogates and what is above U+10FFFF are out.
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t k = 1; k < length; ++k) {
    if (begin + k == bytes.size()) return {Kind::kUnfinished, k};
    const unsigned byte = at(begin + k);
    const bool fits = k == 1 ? byte >= low && byte <= high : (byte & 0xC0) == 0x80;
    if (!fits) return {Kind::kBroken, k};
  }
  return {Kind::kCharacter, length};
}

std::string utf8_lossy(std::string_view bytes) {
  if (all_ascii(bytes)) return std::string(bytes);
  std::string text;
  text.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size();) {
    const auto step = utf8_step(bytes, i);
    if (step.kind == Utf8Step::Kind::kCharacter)
      text.append(bytes, i, step.length);
    else
      append_utf8(text, U'\uFFFD');
    i += step.length;
  }
  return text;
}

std::optional<std::size_t> first_invalid_utf8(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    if (static_cast<unsigned char>(bytes[i]) < 0x80) {
      ++i;
      continue;
    }
    const auto step = utf8_step(bytes, i);
    if (step.kind != Utf8Step::Kind::kCharacter) return i;
    i += step.length;
  }
  return std::nullopt;
}

}  // namespace relmpi
