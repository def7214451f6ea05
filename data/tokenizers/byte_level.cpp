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

}  // namespace relmpi
