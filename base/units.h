#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relmpi {

// Numbers and sizes as people write and read them.

// Without the spaces and tabs at both ends.
std::string_view trimmed(std::string_view text);

// The whole text as a number, spaces around it allowed; nothing if it is not one.
template <typename T>
std::optional<T> parse_number(std::string_view text) {
  text = trimmed(text);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// Bytes of "24GiB", "1.5GB", "512MiB" or "4096", read as Accelerate does: GB is 10^9 bytes, GiB 2^30,
// capitals do not matter, but for a last small b of "Gb", which are bits; fractions of a byte are dropped. 0
// is a size. Throws InputError.
std::int64_t parse_bytes(std::string_view text);

// "512 B", "1 KiB", "12.3 MiB", "2.25 GiB".
std::string bytes_text(double bytes);

// part / whole, and 0 of nothing.
template <typename Part, typename Whole>
double ratio(Part part, Whole whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace relmpi
