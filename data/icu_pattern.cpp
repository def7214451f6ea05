#include <unicode/uregex.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"
#include "data/split_pattern.h"

namespace relmpi {
namespace {

struct CloseRegex {
  void operator()(URegularExpression* regex) const { uregex_close(regex); }
};
using Regex = std::unique_ptr<URegularExpression, CloseRegex>;

std::u16string utf16(std::string_view text) {
  const auto characters = decode_utf8(text);
  if (!characters) throw InputError("the pattern is not valid UTF-8");
  std::u16string out;
  for (const char32_t c : *characters) {
    if (c >= 0x10000) {
      out.push_back(static_cast<char16_t>(0xD7C0 + (c >> 10)));
      out.push_back(static_cast<char16_t>(0xDC00 + (c & 0x3FF)));
    } else {
      out.push_back(static_cast<char16_t>(c));
    }
  }
  return out;
}

void demand(UErrorCode status, const char* what) {
  if (U_FAILURE(status)) throw InputError("{}: {}", what, u_errorName(status));
}

constexpr std::int32_t kTimeLimit = 20000;       // ICU's units, about 0.1 ms each; and more for longer texts
constexpr std::int32_t kStackLimit = 256 << 20;  // bytes

class IcuMatcher final : public PatternMatcher {
 public:
  explicit IcuMatcher(const URegularExpression* pattern) {
    UErrorCode status = U_ZERO_ERROR;
    regex_.reset(uregex_clone(pattern, &status));
    demand(status, "the regular expression cannot be copied");
    // Long runs of one class have room to be gone back over.
    uregex_setStackLimit(regex_.get(), kStackLimit, &status);
    demand(status, "the regular expression's memory cannot be limited");
  }

  void start(std::string_view text) override {
    text_ = utf16(text);
    if (text_.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
      throw InputError("a text of {} bytes is too long for a regular expression; give it in parts",
                       text.size());
    UErrorCode status = U_ZERO_ERROR;
    // A pattern that explodes ends. The limit is for all matches in the text together.
    const auto length = static_cast<std::int32_t>(text_.size());
    uregex_setTimeLimit(regex_.get(), kTimeLimit + length / 250, &status);
    uregex_setText(regex_.get(), text_.data(), length, &status);
    demand(status, "the regular expression cannot take the text");
    units_ = bytes_ = 0;
    last_end_ = -1;
  }

  bool next(TextRange& match) override {
    for (;;) {
      UErrorCode status = U_ZERO_ERROR;
      const bool found = uregex_findNext(regex_.get(), &status);
      demand(status, "the regular expression gave up on the text");
      if (!found) return false;
      const std::int32_t begin = uregex_start(regex_.get(), 0, &status);
      const std::int32_t end = uregex_end(regex_.get(), 0, &status);
      demand(status, "the regular expression lost its match");
      // An empty match just behind the last one does not count.
      if (begin == end && end == last_end_) continue;
      last_end_ = end;
      match.begin = byte_offset(begin);
      match.end = byte_offset(end);
      return true;
    }
  }

 private:
  // Bytes before a place in UTF-16, which lies at or after the last one asked for.
  std::size_t byte_offset(std::int32_t unit) {
    for (; units_ < static_cast<std::size_t>(unit); ++units_) {
      const char16_t c = text_[units_];
      bytes_ += c < 0x80 ? 1 : c < 0x800 || (c >= 0xD800 && c < 0xE000) ? 2 : 3;  // a surrogate pair: 4
    }
    return bytes_;
  }

  Regex regex_;
  std::u16string text_;
  std::size_t units_ = 0, bytes_ = 0;
  std::int32_t last_end_ = -1;
};

class IcuPattern final : public SplitPattern {
 public:
  explicit IcuPattern(const std::string& regex) {
    const auto pattern = utf16(regex);
    UParseError place{};
    UErrorCode status = U_ZERO_ERROR;
    regex_.reset(uregex_open(pattern.data(), static_cast<std::int32_t>(pattern.size()), 0, &place, &status));
    if (U_FAILURE(status))
      throw InputError("'{}' is no regular expression ({} at character {})", regex, u_errorName(status),
                       place.offset);
  }
  std::unique_ptr<PatternMatcher> matcher() const override {
    return std::make_unique<IcuMatcher>(regex_.get());
  }

 private:
  Regex regex_;
};

// Whether ICU and Oniguruma read every construct of the pattern alike: characters, \p{..}, \s \S \d \D \r \n
// \t, escaped punctuation, plain classes, groups (?: (?i: (?= (?!, | and quantifiers. The place of the first
// other construct, or the length.
std::size_t portable_length(std::string_view regex) {
  bool in_class = false;
  for (std::size_t i = 0; i < regex.size(); ++i) {
    const char c = regex[i];
    const std::string_view rest = regex.substr(i);
    if (c == '\\') {
      if (rest.size() < 2) return i;
      const char kind = rest[1];
      const bool letter = (kind >= 'a' && kind <= 'z') || (kind >= 'A' && kind <= 'Z');
      const bool digit = kind >= '0' && kind <= '9';
      const bool known = std::string_view("sSdDrntpP").find(kind) != std::string_view::npos;
      if (digit || (letter && !known) || static_cast<unsigned char>(kind) >= 0x80) return i;
      if ((kind == 'p' || kind == 'P') && (rest.size() < 3 || rest[2] != '{')) return i;
      i += kind == 'p' || kind == 'P' ? std::min(rest.find('}'), rest.size() - 1) : 1;
    } else if (in_class) {
      if (c == '[' || c == '&' || rest.starts_with("--")) return i;
      if (c == ']') in_class = false;
    } else if (c == '[') {
      in_class = true;
      if (rest.starts_with("[]") || rest.starts_with("[^]")) return i;
      if (rest.starts_with("[^")) ++i;
    } else if (c == '.' || c == '^' || c == '$' || rest.starts_with("}+") || rest.starts_with("}?")) {
      return i;
    } else if (rest.starts_with("(?")) {
      const bool known = rest.starts_with("(?:") || rest.starts_with("(?i:") || rest.starts_with("(?=") ||
                         rest.starts_with("(?!");
      if (!known) return i;
    }
  }
  return regex.size();
}

}  // namespace

std::unique_ptr<SplitPattern> icu_pattern(const std::string& regex) {
  const std::size_t known = portable_length(regex);
  if (known < regex.size())
    throw InputError(
        "the regular expression '{}' holds '{}', which libraries read differently; relmpi takes "
        "those of GPT-2, Llama 3, Qwen2 and their like",
        regex, regex.substr(known, 4));
  return std::make_unique<IcuPattern>(regex);
}

}  // namespace relmpi
