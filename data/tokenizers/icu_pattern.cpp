#include <unicode/uchar.h>
#include <unicode/uregex.h>
#include <unicode/uscript.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "data/tokenizers/split_pattern.h"

namespace relmpi {
namespace {

struct CloseRegex {
  void operator()(URegularExpression* regex) const { uregex_close(regex); }
};
using Regex = std::unique_ptr<URegularExpression, CloseRegex>;

void demand(UErrorCode status, const char* what) {
  if (U_FAILURE(status)) throw InputError("{}: {}", what, u_errorName(status));
}

std::u16string utf16(std::string_view text) {
  if (text.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    throw InputError("a text of {} bytes is too long for a regular expression; give it in parts",
                     text.size());
  std::u16string out(text.size(), u'\0');  // no text has more units than bytes
  std::int32_t length = 0;
  UErrorCode status = U_ZERO_ERROR;
  u_strFromUTF8(out.data(), static_cast<std::int32_t>(out.size()), &length, text.data(),
                static_cast<std::int32_t>(text.size()), &status);
  demand(status, "the text is not valid UTF-8");
  out.resize(static_cast<std::size_t>(length));
  return out;
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

// Whether \p{name} has the same characters in ICU and Oniguruma, whose Alpha, Word and XDigit do not: the
// short name of a general category, or a script's own name.
bool is_portable_property(const std::string& name) {
  static const std::set<std::string> kCategories{"C",  "Cc", "Cf", "Cn", "Co", "Cs", "L",  "Ll", "Lm", "Lo",
                                                 "Lt", "Lu", "M",  "Mc", "Me", "Mn", "N",  "Nd", "Nl", "No",
                                                 "P",  "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S",  "Sc",
                                                 "Sk", "Sm", "So", "Z",  "Zl", "Zp", "Zs"};
  if (kCategories.contains(name)) return true;
  const std::int32_t script = u_getPropertyValueEnum(UCHAR_SCRIPT, name.c_str());
  const char* own = script == UCHAR_INVALID_CODE || script == USCRIPT_UNKNOWN
                        ? nullptr
                        : u_getPropertyValueName(UCHAR_SCRIPT, script, U_LONG_PROPERTY_NAME);
  return own != nullptr && name == own;  // ICU takes other spellings too
}

// The length of the construct that a backslash begins; 0 if libraries read it differently.
std::size_t portable_escape(std::string_view rest) {
  if (rest.size() < 2) return 0;
  const char kind = rest[1];
  if (kind == 'p' || kind == 'P') {
    const std::size_t end = rest.find('}');
    const bool known = rest.substr(2).starts_with('{') && end != std::string_view::npos &&
                       is_portable_property(std::string(rest.substr(3, end - 3)));
    return known ? end + 1 : 0;
  }
  const bool letter = (kind >= 'a' && kind <= 'z') || (kind >= 'A' && kind <= 'Z');
  const bool digit = kind >= '0' && kind <= '9';
  const bool known = std::string_view("sSdDrnt").find(kind) != std::string_view::npos;
  return digit || (letter && !known) || static_cast<unsigned char>(kind) >= 0x80 ? 0 : 2;
}

// Whether ICU and Oniguruma read every construct of the pattern alike: characters, \p{..} of categories and
// scripts, \s \S \d \D \r \n \t, escaped punctuation, plain classes, groups (?: (?i: (?= (?!, | and
// quantifiers. The place of the first other construct, or the length.
std::size_t portable_length(std::string_view regex) {
  bool in_class = false;
  std::vector<bool> folds{false};  // whether the case does not matter, by open group
  for (std::size_t i = 0; i < regex.size(); ++i) {
    const char c = regex[i];
    const std::string_view rest = regex.substr(i);
    if (c == '\\') {
      const std::size_t length = portable_escape(rest);
      // What a property has in the other case counts for ICU, but not always for Oniguruma.
      if (length == 0 || (length > 2 && folds.back())) return i;
      i += length - 1;
    } else if (in_class) {
      if (c == '[' || c == '&' || rest.starts_with("--")) return i;
      if (c == ']') in_class = false;
    } else if (c == '[') {
      in_class = true;
      // "[:alpha:]" is a property to ICU and seven characters to Oniguruma.
      for (const char* other : {"[]", "[^]", "[:", "[^:"})
        if (rest.starts_with(other)) return i;
      if (rest.starts_with("[^")) ++i;
    } else if (c == '.' || c == '^' || c == '$' || rest.starts_with("}+") || rest.starts_with("}?")) {
      return i;
    } else if (c == '(') {
      const bool fold = rest.starts_with("(?i:");
      const bool known =
          fold || rest.starts_with("(?:") || rest.starts_with("(?=") || rest.starts_with("(?!");
      if (rest.starts_with("(?") && !known) return i;
      folds.push_back(fold || folds.back());
    } else if (c == ')' && folds.size() > 1) {
      folds.pop_back();
    }
  }
  return regex.size();
}

}  // namespace

std::unique_ptr<SplitPattern> icu_pattern(const std::string& regex) {
  const std::size_t known = portable_length(regex);
  if (known < regex.size()) {
    const std::size_t brace = regex.find('}', known);
    const bool property = regex.compare(known, 3, "\\p{") == 0 || regex.compare(known, 3, "\\P{") == 0;
    throw InputError(
        "the regular expression '{}' holds '{}', which libraries read differently; relmpi takes "
        "those of GPT-2, Llama 3, Qwen2 and their like (of properties, general categories such as \\p{{Lu}} "
        "and scripts such as \\p{{Han}})",
        regex, regex.substr(known, property && brace != std::string::npos ? brace - known + 1 : 4));
  }
  return std::make_unique<IcuPattern>(regex);
}

}  // namespace relmpi
