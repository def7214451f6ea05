#pragma once

namespace relmpi {

// Properties of one character (a Unicode code point), from ICU.

// A Chinese character: a unified or compatibility ideograph of any block, or U+3007 (the numeral zero).
bool is_han(char32_t character);

// White space (Unicode's White_Space; holds U+3000, U+2028 and U+00A0). Between characters of a sentence it
// only separates.
bool is_space(char32_t character);

// A control character (category Cc), such as NUL or ESC.
bool is_control(char32_t character);

// The lower-case letter, by Unicode's one-to-one mapping; other characters are themselves.
char32_t to_lower(char32_t character);

}  // namespace relmpi
