#include "data/jinja/python_text.h"

#include <fmt/format.h>
#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>

#include "base/utf8.h"
#include "data/jinja/value.h"

namespace relmpi::jinja {

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < text.size(); at += out.back().size())
    out.push_back(text.substr(at, utf8_step(text, at).length));
  return out;
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_space_at(std::string_view text, std::size_t at) { return is_space(utf8_step(text, at).character); }

std::string_view strip(std::string_view text, bool left, bool right, const std::optional<std::string>& of) {
  const auto stripped = [&](std::string_view character) {
    return of ? of->find(character) != std::string::npos : is_space_at(character, 0);
  };
  while (left && !text.empty()) {
    const std::string_view first = text.substr(0, utf8_step(text, 0).length);
    if (!stripped(first)) break;
    text.remove_prefix(first.size());
  }
  while (right && !text.empty()) {
    std::size_t at = text.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
    if (!stripped(text.substr(at))) break;
    text.remove_suffix(text.size() - at);
  }
  return text;
}

namespace {

std::string to_utf8(const icu::UnicodeString& text) {
  std::string out;
  text.toUTF8String(out);
  return out;
}

icu::UnicodeString from_utf8(std::string_view text) {
  return icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
}

}  // namespace

std::string upper(const std::string& text) {
  return to_utf8(from_utf8(text).toUpper(icu::Locale::getRoot()));
}
std::string lower(const std::string& text) {
  return to_utf8(from_utf8(text).toLower(icu::Locale::getRoot()));
}

// A letter with a cased one before it is small, any other is a title's.
std::string title(const std::string& text) {
  // A capital sigma's small form depends on its place in the word.
  if (text.find("\u03A3") != std::string::npos) throw Trouble("title() of a text with a capital sigma");
  std::string out;
  bool cased = false;
  for (const std::string_view character : characters(text)) {
    out += cased ? lower(std::string(character))
                 : to_utf8(from_utf8(character).toTitle(nullptr, icu::Locale::getRoot()));
    cased = u_hasBinaryProperty(static_cast<UChar32>(utf8_step(character, 0).character), UCHAR_CASED) != 0;
  }
  return out;
}

std::string capitalize(const std::string& text) {
  if (text.empty()) return text;
  const std::size_t first = utf8_step(text, 0).length;
  const std::string small = lower(text);
  const std::string own = lower(text.substr(0, first));
  return to_utf8(from_utf8(text.substr(0, first)).toTitle(nullptr, icu::Locale::getRoot())) +
         small.substr(own.size());
}

namespace {

std::vector<std::string> split_words(std::string_view text, std::int64_t most, bool from_right) {
  std::vector<std::string> out;
  for (;;) {
    text = strip(text, !from_right, from_right);
    if (text.empty()) break;
    if (most >= 0 && std::ssize(out) == most) {
      out.emplace_back(text);
      break;
    }
    const auto all = characters(text);
    std::size_t length = 0;  // of the word at this side
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::string_view one = from_right ? all[all.size() - 1 - i] : all[i];
      if (is_space_at(one, 0)) break;
      length += one.size();
    }
    const std::size_t begin = from_right ? text.size() - length : 0;
    out.emplace_back(text.substr(begin, length));
    text = from_right ? text.substr(0, begin) : text.substr(length);
  }
  return out;
}

}  // namespace

std::vector<std::string> split(std::string_view text, const std::optional<std::string>& separator,
                               std::int64_t most, bool from_right) {
  std::vector<std::string> out;
  if (!separator) {
    out = split_words(text, most, from_right);
  } else {
    while (most < 0 || std::ssize(out) < most) {
      const std::size_t at = from_right ? text.rfind(*separator) : text.find(*separator);
      if (at == std::string_view::npos) break;
      const std::size_t behind = at + separator->size();
      out.emplace_back(from_right ? text.substr(behind) : text.substr(0, at));
      text = from_right ? text.substr(0, at) : text.substr(behind);
    }
    out.emplace_back(text);
  }
  if (from_right) std::ranges::reverse(out);
  return out;
}

std::vector<std::string> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string> out;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto step = utf8_step(text, at);
    const char32_t c = step.character;
    const bool ends =
        (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
    std::size_t next = at + step.length;
    if (ends) {
      if (c == '\r' && next < text.size() && text[next] == '\n') ++next;
      out.emplace_back(text.substr(begin, (keep_ends ? next : at) - begin));
      begin = next;
    }
    at = next;
  }
  if (begin < text.size()) out.emplace_back(text.substr(begin));
  return out;
}

std::string quoted(const std::string& text) {
  const bool twice = text.find('\'') != std::string::npos && text.find('"') == std::string::npos;
  const char quote = twice ? '"' : '\'';
  std::string out(1, quote);
  for (const std::string_view character : characters(text)) {
    const char32_t c = utf8_step(character, 0).character;
    constexpr std::uint32_t kUnprintable = U_GC_C_MASK | U_GC_Z_MASK;
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out += '\\';
      out += character;
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (c == ' ' || (U_GET_GC_MASK(static_cast<UChar32>(c)) & kUnprintable) == 0) {
      out += character;
    } else {
      const auto code = static_cast<std::uint32_t>(c);
      out += code < 0x100     ? fmt::format("\\x{:02x}", code)
             : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                              : fmt::format("\\U{:08x}", code);
    }
  }
  return out + quote;
}

}  // namespace relmpi::jinja
