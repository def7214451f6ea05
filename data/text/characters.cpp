#include "data/text/characters.h"

#include <unicode/uchar.h>

namespace relmpi {
namespace {

UChar32 icu(char32_t character) { return static_cast<UChar32>(character); }

}  // namespace

bool is_han(char32_t character) {
  return character == U'〇' || u_hasBinaryProperty(icu(character), UCHAR_UNIFIED_IDEOGRAPH) ||
         (u_hasBinaryProperty(icu(character), UCHAR_IDEOGRAPHIC) &&
          ((character >= 0xF900 && character <= 0xFAFF) || (character >= 0x2F800 && character <= 0x2FA1F)));
}

bool is_space(char32_t character) { return u_isUWhiteSpace(icu(character)); }

bool is_control(char32_t character) { return u_charType(icu(character)) == U_CONTROL_CHAR; }

char32_t to_lower(char32_t character) { return static_cast<char32_t>(u_tolower(icu(character))); }

}  // namespace relmpi
