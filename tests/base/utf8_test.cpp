#include "base/utf8.h"

#include <gtest/gtest.h>

namespace relmpi {
namespace {

bool is_scalar(char32_t c) { return c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF); }

// What valid UTF-8 is, said another way: the bytes that encoding some character gives.
bool valid_by_encoding(const std::string& bytes) {
  const auto text = decode_utf8(bytes);
  return text && encode_utf8(*text) == bytes;
}

TEST(Utf8, EveryCharacterComesBack) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (!is_scalar(c)) continue;
    const auto bytes = encode_utf8({&c, 1});
    ASSERT_EQ(bytes.size(), c < 0x80 ? 1U : c < 0x800 ? 2U : c < 0x10000 ? 3U : 4U);
    const auto text = decode_utf8(bytes);
    ASSERT_TRUE(text && text->size() == 1 && text->front() == c) << static_cast<unsigned>(c);
  }
}

TEST(Utf8, WrongBytesAreRefused) {
  const std::vector<std::string> wrong = {"\x80",              // continuation first
                                          "\xc3",              // cut
                                          "\xe4\xb8",          // cut
                                          "\xf0\x9f\x98",      // cut
                                          "\xc0\xaf",          // overlong '/'
                                          "\xc1\xbf",          // overlong
                                          "\xe0\x80\xaf",      // overlong
                                          "\xf0\x80\x80\xaf",  // overlong
                                          "\xed\xa0\x80",      // surrogate
                                          "\xed\xbf\xbf",      // surrogate
                                          "\xf4\x90\x80\x80",  // above U+10FFFF
                                          "\xf5\x80\x80\x80",
                                          "\xfe",
                                          "\xff",
                                          "\xe4\x28\xad",  // no continuation
                                          "ok\xe4\xb8\xadok\xff"};
  for (const auto& bytes : wrong) EXPECT_FALSE(decode_utf8(bytes)) << bytes;
}

TEST(Utf8, AllShortByteStringsAreDecodedExactlyWhereTheyAreAnEncoding) {
  int valid = 0;
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string bytes = {static_cast<char>(a), static_cast<char>(b)};
      if (!decode_utf8(bytes)) continue;
      ASSERT_TRUE(valid_by_encoding(bytes));
      ++valid;
    }
  }
  EXPECT_EQ(valid, 128 * 128 + (0x800 - 0x80));  // two ASCII characters, or one of two bytes
}

}  // namespace
}  // namespace relmpi
