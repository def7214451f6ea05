#include "base/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"

namespace relmpi {
namespace {

constexpr std::int64_t kMostMemory = std::int64_t{1} << 60;

struct Unit {
  std::string_view name;
  double bytes;
};

// In capitals; a longer name before its own ending.
constexpr std::array<Unit, 9> kUnits{{{"KIB", 1024.0},
                                      {"MIB", 1048576.0},
                                      {"GIB", 1073741824.0},
                                      {"TIB", 1099511627776.0},
                                      {"KB", 1e3},
                                      {"MB", 1e6},
                                      {"GB", 1e9},
                                      {"TB", 1e12},
                                      {"B", 1.0}}};

}  // namespace

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::int64_t parse_bytes(std::string_view text) {
  const std::string_view whole = trimmed(text);
  if (const auto bytes = parse_number<std::int64_t>(whole); bytes && *bytes >= 0 && *bytes <= kMostMemory)
    return *bytes;
  std::string capitals(whole);
  for (char& c : capitals) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  const auto* unit =
      std::ranges::find_if(kUnits, [&](const Unit& known) { return capitals.ends_with(known.name); });
  std::optional<double> value;
  if (unit != kUnits.end()) value = parse_number<double>(whole.substr(0, whole.size() - unit->name.size()));
  if (!value || !std::isfinite(*value) || *value < 0 ||
      *value * unit->bytes > static_cast<double>(kMostMemory))
    throw InputError(
        "'{}' is no size: write a number and B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 24GiB", text);
  const auto bytes = static_cast<std::int64_t>(*value * unit->bytes);
  return unit->name.size() == 2 && whole.back() == 'b' ? bytes / 8 : bytes;
}

std::string bytes_text(double bytes) {
  constexpr std::array kNames = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kNames.size(); ++unit) bytes /= 1024;
  const int digits = bytes == std::floor(bytes) ? 0 : bytes < 10 ? 2 : 1;
  return fmt::format("{:.{}f} {}", bytes, digits, kNames.at(unit));
}

}  // namespace relmpi
