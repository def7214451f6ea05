#include "data/tokenizers/byte_level.h"

#include <gtest/gtest.h>
#include <unicode/utf8.h>

#include "base/random.h"
#include "base/utf8.h"
#include "tokenizer_testing.h"

namespace relmpi {
namespace {

TEST(ByteLevel, EachByteHasAPrintableCharacterOfItsOwn) {
  EXPECT_EQ(byte_level_text(" a\n\xC3"), "ĠaĊÃ");
  EXPECT_EQ(byte_level_text(std::string("\0\x7F\xA0\xAD\xFF", 5)), "ĀġłŃÿ");
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    EXPECT_EQ(byte_level_bytes(byte_level_text(bytes)), bytes);
  }
}

TEST(ByteLevel, OtherCharactersStandForNoBytes) {
  EXPECT_EQ(byte_level_bytes("a b"), std::nullopt);  // a space is written "Ġ"
  EXPECT_EQ(byte_level_bytes("中"), std::nullopt);
  EXPECT_EQ(byte_level_bytes("\u0144"), std::nullopt);
  EXPECT_EQ(byte_level_bytes(""), "");
}

// As Rust's String::from_utf8_lossy and Python's errors="replace" do it.
TEST(ByteLevel, BrokenTextIsReplacedByMaximalSubparts) {
  const std::string r = "\uFFFD";
  EXPECT_EQ(utf8_lossy("plain 中文 😀"), "plain 中文 😀");
  EXPECT_EQ(utf8_lossy("\xE4\xB8"), r);  // the begin of a character
  EXPECT_EQ(utf8_lossy("\xE4\xB8x"), r + "x");
  EXPECT_EQ(utf8_lossy("\xB8\xAD"), r + r);  // no begin
  EXPECT_EQ(utf8_lossy("\xF0\x9F\x98"), r);
  EXPECT_EQ(utf8_lossy("\xF0\x9F\x98\xE4\xB8\xAD"), r + "中");
  EXPECT_EQ(utf8_lossy("\xC0\xAF"), r + r);  // overlong
  EXPECT_EQ(utf8_lossy("\xE0\x80\x80"), r + r + r);
  EXPECT_EQ(utf8_lossy("\xED\xA0\x80"), r + r + r);          // a surrogate
  EXPECT_EQ(utf8_lossy("\xF4\x90\x80\x80"), r + r + r + r);  // above U+10FFFF
  EXPECT_EQ(utf8_lossy("\xFF"), r);
}

// ICU decodes independently of us, and takes broken bytes in the same pieces.
TEST(ByteLevel, StepsOverRandomBytesAsIcuDoes) {
  using Kind = Utf8Step::Kind;
  std::array<int, 3> seen{};
  for (std::uint64_t i = 0; i < 100000; ++i) {
    Random random(2, "utf8", i);
    std::string bytes;
    for (std::uint64_t k = 1 + random.below(6); k > 0; --k) {
      const bool any =
          random.below(4) == 0;  // else a byte of a longer character, most often from 0x80 to 0xF4
      bytes.push_back(static_cast<char>(any ? random.below(256) : 0x80 + random.below(0x75)));
    }
    const auto size = static_cast<std::int32_t>(bytes.size());
    for (std::int32_t at = 0; at < size;) {
      const Utf8Step step = utf8_step(bytes, static_cast<std::size_t>(at));
      const std::int32_t begin = at;
      UChar32 character = 0;
      U8_NEXT(bytes.data(), at, size, character);
      ++seen.at(static_cast<std::size_t>(step.kind));
      ASSERT_EQ(step.length, static_cast<std::size_t>(at - begin)) << ::testing::PrintToString(bytes);
      ASSERT_EQ(step.kind == Kind::kCharacter, character >= 0) << ::testing::PrintToString(bytes);
      if (character >= 0) {
        ASSERT_EQ(step.character, static_cast<char32_t>(character));
      }
      if (step.kind == Kind::kUnfinished) {
        ASSERT_EQ(at, size);
      }
    }
  }
  for (const int count : seen) EXPECT_GT(count, 1000);
}

TEST(ByteLevel, FindsTheFirstByteThatIsNotUtf8AsTheStrictDecoderDoes) {
  EXPECT_EQ(first_invalid_utf8("中文\xFF"), 6U);
  EXPECT_EQ(first_invalid_utf8("ab\xE4\xB8"), 2U);
  for (std::uint64_t i = 0; i < 20000; ++i) {
    Random random(1, "utf8", i);
    std::string bytes;
    for (std::uint64_t k = random.below(8); k > 0; --k) {
      constexpr unsigned char kLikely[] = {0x41, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2,
                                           0xDF, 0xE0, 0xE4, 0xED, 0xEF, 0xF0, 0xF3, 0xF4, 0xF5};
      bytes.push_back(static_cast<char>(kLikely[random.below(std::size(kLikely))]));
    }
    EXPECT_EQ(first_invalid_utf8(bytes).has_value(), !decode_utf8(bytes).has_value())
        << ::testing::PrintToString(bytes);
    EXPECT_TRUE(decode_utf8(utf8_lossy(bytes)).has_value());
  }
}

}  // namespace
}  // namespace relmpi
