// Reading of the Unihan files (data/spelling/unihan.h).

#include "data/spelling/unihan.h"

#include <bzlib.h>
#include <unicode/normalizer2.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/files.h"

namespace relmpi {
namespace {

// Expands a whole bzip2 file held in memory (one or more streams end to end).
std::string expand_bzip2(const std::string& packed, const std::string& name) {
  struct Stream : bz_stream {
    Stream() : bz_stream{} {}
    ~Stream() { BZ2_bzDecompressEnd(this); }
  };
  std::string text;
  std::array<char, 1 << 16> piece;
  const char* next = packed.data();
  for (auto left = packed.size(); left > 0;) {
    Stream stream;
    int status = BZ2_bzDecompressInit(&stream, 0, 0);
    stream.next_in = const_cast<char*>(next);  // bzlib reads only
    stream.avail_in = static_cast<unsigned>(left);
    while (status == BZ_OK) {
      stream.next_out = piece.data();
      stream.avail_out = piece.size();
      status = BZ2_bzDecompress(&stream);
      if (status == BZ_OK && stream.avail_in == 0 && stream.avail_out == piece.size())
        status = BZ_UNEXPECTED_EOF;
      if (status == BZ_OK || status == BZ_STREAM_END)
        text.append(piece.data(), piece.size() - stream.avail_out);
    }
    if (status != BZ_STREAM_END) {
      throw InputError("{}: damaged bzip2 file (BZ2_bzDecompress gave {}); download it again", name, status);
    }
    next = stream.next_in;
    left = stream.avail_in;
  }
  return text;
}

std::string unihan_text(const std::filesystem::path& folder, const std::string& name) {
  const auto plain = folder / (name + ".txt");
  if (std::filesystem::exists(plain)) return read_file(plain);
  const auto packed = folder / (name + ".txt.bz2");
  if (std::filesystem::exists(packed)) return expand_bzip2(read_file(packed), packed.string());
  throw InputError(
      "--unihan {}: neither {}.txt nor {}.txt.bz2 is there; get them with `apt-get download unicode-data && "
      "dpkg -x "
      "unicode-data_*.deb DIR` and give DIR",
      folder.string(), name, name);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(separator, begin), text.size());
    if (end > begin) parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

template <typename T>
void add(std::vector<T>& list, T value) {
  if (std::ranges::find(list, value) == list.end()) list.push_back(std::move(value));
}

std::optional<char32_t> code_point(std::string_view text) {
  unsigned value = 0;
  if (!text.starts_with("U+")) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size() || value > 0x10FFFF) return std::nullopt;
  return value;
}

// Adds the readings of one field. kMandarin "xíng háng"; kHanyuPinlu "xíng(2943) háng(218)"; kXHC1983 and
// kTGHZ2013 "0442.080,0443.050*:háng" (places before the colon, readings after it, perhaps several with
// commas).
void add_readings(UnihanCharacter& character, std::string_view value) {
  for (const auto& item : split(value, ' ')) {
    std::string_view readings = item;
    if (const auto colon = readings.find(':'); colon != std::string_view::npos)
      readings.remove_prefix(colon + 1);
    for (const auto& reading : split(readings, ',')) {
      const auto syllable = toneless(reading.substr(0, reading.find('(')));
      if (!syllable.empty()) add(character.syllables, syllable);
    }
  }
}

void add_phonetics(UnihanCharacter& character, std::string_view value) {
  for (auto item : split(value, ' ')) {
    // A class number, a letter for a part of the class; "*": not in Casey's book; "x": not of this class by
    // right.
    if (item.ends_with('x')) continue;
    if (item.ends_with('*')) item.pop_back();
    add(character.phonetics, item);
  }
}

void add_traditional(UnihanCharacter& character, std::string_view value) {
  for (const auto& item : split(value, ' ')) {
    if (const auto variant = code_point(item)) add(character.traditional, *variant);
  }
}

void add_field(UnihanCharacter& character, std::string_view field, std::string_view value) {
  if (field == "kMandarin" || field == "kHanyuPinlu" || field == "kXHC1983" || field == "kTGHZ2013") {
    add_readings(character, value);
  } else if (field == "kCangjie") {
    for (const auto& item : split(value, ' ')) add(character.cangjie, item);
  } else if (field == "kFourCornerCode") {
    for (const auto& item : split(value, ' ')) add(character.four_corners, item.substr(0, 4));
  } else if (field == "kPhonetic") {
    add_phonetics(character, value);
  } else if (field == "kTraditionalVariant") {
    add_traditional(character, value);
  } else if (field == "kTotalStrokes") {
    std::from_chars(value.data(), value.data() + value.size(), character.strokes);
  }
}

bool is_wanted(std::string_view field) {
  constexpr std::array<std::string_view, 9> kWanted = {
      "kMandarin", "kHanyuPinlu",         "kXHC1983",     "kTGHZ2013", "kCangjie", "kFourCornerCode",
      "kPhonetic", "kTraditionalVariant", "kTotalStrokes"};
  return std::ranges::find(kWanted, field) != kWanted.end();
}

// Adds the lines "U+4E00 TAB field TAB value" of one file.
void add_file(Unihan& unihan, std::string_view text, const std::string& name) {
  std::int64_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    const auto line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const auto first = line.find('\t');
    const auto second = first == std::string_view::npos ? first : line.find('\t', first + 1);
    const auto character = code_point(line.substr(0, std::min(first, line.size())));
    if (second == std::string_view::npos || !character) {
      throw InputError("{}:{}: not a line of Unihan (U+4E00, TAB, field, TAB, value)", name, number);
    }
    const auto field = line.substr(first + 1, second - first - 1);
    if (is_wanted(field)) add_field(unihan[*character], field, line.substr(second + 1));
  }
}

}  // namespace

std::string toneless(const std::string& pinyin) {
  UErrorCode status = U_ZERO_ERROR;
  const auto* nfd = icu::Normalizer2::getNFDInstance(status);
  RELMPI_CHECK(U_SUCCESS(status), "ICU has no NFD");
  const auto parts = nfd->normalize(icu::UnicodeString::fromUTF8(pinyin), status);
  std::string out;
  for (std::int32_t i = 0; i < parts.length(); ++i) {
    const char16_t unit = parts.charAt(i);
    if (unit >= u'a' && unit <= u'z') out.push_back(static_cast<char>(unit));
    if (unit == u'\u0308' && !out.empty() && out.back() == 'u') out.back() = 'v';  // the two dots of ü
  }
  return out;
}

Unihan load_unihan(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder))
    throw InputError("--unihan {}: no such folder", folder.string());
  const auto unpacked = folder / "usr" / "share" / "unicode";
  const auto place = std::filesystem::is_directory(unpacked) ? unpacked : folder;
  Unihan unihan;
  for (const char* name :
       {"Unihan_Readings", "Unihan_DictionaryLikeData", "Unihan_IRGSources", "Unihan_Variants"}) {
    add_file(unihan, unihan_text(place, name), (place / name).string());
  }
  return unihan;
}

}  // namespace relmpi
