#include "data/tokenizers/wordpiece_text.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <array>

#include "base/error.h"

namespace relmpi {
namespace {

UChar32 icu(char32_t character) { return static_cast<UChar32>(character); }

bool in(char32_t character, char32_t first, char32_t last) { return character >= first && character <= last; }

icu::UnicodeString utf16(const std::u32string& text) {
  return icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(text.data()),
                                       static_cast<std::int32_t>(text.size()));
}

std::u32string utf32(const icu::UnicodeString& text) {
  std::u32string out;
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    out.push_back(static_cast<char32_t>(text.char32At(i)));
  }
  return out;
}

std::u32string normalized(const icu::Normalizer2* form, UErrorCode status, const std::u32string& text) {
  const auto result = U_SUCCESS(status) ? form->normalize(utf16(text), status) : icu::UnicodeString();
  RELMPI_CHECK(U_SUCCESS(status), "ICU normalisation failed: {}", u_errorName(status));
  return utf32(result);
}

// Category C: Cc, Cf, Cs, Co, Cn.
bool is_other(char32_t c) {
  const auto mask = U_GET_GC_MASK(icu(c));
  return (mask & U_GC_C_MASK) != 0;
}

bool is_python_space(char32_t c) {
  return c == U'\u2028' || c == U'\u2029' || u_charType(icu(c)) == U_SPACE_SEPARATOR;
}

bool is_punctuation(char32_t c) {
  return in(c, 33, 47) || in(c, 58, 64) || in(c, 91, 96) || in(c, 123, 126) || u_ispunct(icu(c));
}

// The blocks that the original BERT code calls Chinese (it leaves out extensions F and later).
bool is_bert_chinese(char32_t c) {
  return in(c, 0x4E00, 0x9FFF) || in(c, 0x3400, 0x4DBF) || in(c, 0x20000, 0x2A6DF) ||
         in(c, 0x2A700, 0x2B73F) || in(c, 0x2B740, 0x2B81F) || in(c, 0x2B820, 0x2CEAF) ||
         in(c, 0xF900, 0xFAFF) || in(c, 0x2F800, 0x2FA1F);
}

}  // namespace

std::u32string clean_text(const std::u32string& text) {
  std::u32string out;
  for (char32_t c : text) {
    if (c == U'\t' || c == U'\n' || c == U'\r' || u_charType(icu(c)) == U_SPACE_SEPARATOR) {
      out.push_back(U' ');
    } else if (c != 0xFFFD && !is_other(c)) {
      out.push_back(c);
    }
  }
  return out;
}

std::u32string space_out_chinese(const std::u32string& text) {
  std::u32string out;
  for (char32_t c : text) {
    if (is_bert_chinese(c)) {
      out.append({U' ', c, U' '});
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::vector<std::u32string> split_at_space(const std::u32string& text) {
  std::vector<std::u32string> words;
  for (auto begin = text.begin(); begin != text.end();) {
    begin = std::find_if_not(begin, text.end(), is_python_space);
    const auto end = std::find_if(begin, text.end(), is_python_space);
    if (begin != end) words.emplace_back(begin, end);
    begin = end;
  }
  return words;
}

std::vector<std::u32string> split_at_punctuation(const std::u32string& word) {
  std::vector<std::u32string> parts;
  bool open = false;
  for (char32_t c : word) {
    const bool alone = is_punctuation(c);
    if (alone || !open) parts.emplace_back();
    parts.back().push_back(c);
    open = !alone;
  }
  return parts;
}

std::u32string lower_each(const std::u32string& text) {
  std::u32string out;
  for (char32_t c : text) {
    if (c == U'\u0130') {
      out.append(U"i\u0307");  // the only character whose lower case is more than one (SpecialCasing.txt)
    } else {
      out.push_back(static_cast<char32_t>(u_tolower(icu(c))));
    }
  }
  return out;
}

std::u32string strip_accents(const std::u32string& text) {
  UErrorCode status = U_ZERO_ERROR;
  const auto* form = icu::Normalizer2::getNFDInstance(status);
  auto out = normalized(form, status, text);
  std::erase_if(out, [](char32_t c) { return u_charType(icu(c)) == U_NON_SPACING_MARK; });
  return out;
}

std::u32string compose(const std::u32string& text) {
  UErrorCode status = U_ZERO_ERROR;
  const auto* form = icu::Normalizer2::getNFCInstance(status);
  return normalized(form, status, text);
}

}  // namespace relmpi
