#include "data/tokenizers/pre_tokenizer.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "base/utf8.h"
#include "test_data.h"

namespace relmpi {
namespace {

using Pieces = std::vector<std::string>;

const char* const kGpt2Long = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
const char* const kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const char* const kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

Pieces split(const PreTokenizer& rules, const std::string& text) {
  Pieces pieces;
  PreTokenizerRun(rules).split(text, [&](const PreTokenizerRun::Piece& piece) {
    // A piece lies where it says, except for a space that was put in.
    const auto own = piece.bytes.substr(piece.spaced ? 1 : 0);
    EXPECT_EQ(text.substr(piece.place, own.size()), own) << piece.place;
    EXPECT_TRUE(!piece.spaced || piece.bytes.starts_with(' ')) << piece.place;
    pieces.emplace_back(piece.bytes);
  });
  return pieces;
}

PreTokenizer one_step(std::unique_ptr<SplitPattern> pattern,
                      SplitBehavior behavior = SplitBehavior::kIsolated, bool invert = false) {
  PreTokenizer rules;
  rules.before.push_back({std::move(pattern), behavior, invert});
  return rules;
}

std::string random_text(Random& random) {
  static const std::u32string kLikely =
      U"'''  \n\r\t''sStTmMdDlLvVrReE\u017F\u212Ahello\u4E2D\u6587\u00E9\u0301\u0660\u00BD\u2167"
      U"09.!?-\u3000\u00A0\u0085\u2028\U0001F600\u200D\uFE0F\u0E01";
  std::u32string text;
  for (std::uint64_t length = random.below(30); length > 0; --length) {
    char32_t c = kLikely[random.below(kLikely.size())];
    if (random.below(8) == 0) c = static_cast<char32_t>(random.below(0x110000));
    if (c >= 0xD800 && c < 0xE000) c = U'x';
    text.append(random.below(6) == 0 ? 1 + random.below(5) : 1, c);
  }
  return encode_utf8(text);
}

TEST(PreTokenizer, KnownPatternsCutAsTheRegularExpressionsDo) {
  for (const char* regex : {kGpt2Regex, kGpt2Long, kLlama3, kQwen2}) {
    const auto fast = one_step(regex_pattern(regex)), slow = one_step(icu_pattern(regex));
    for (std::uint64_t i = 0; i < 8000; ++i) {
      Random random(1, "text", i);
      const std::string text = random_text(random);
      ASSERT_EQ(split(fast, text), split(slow, text)) << regex << "\n" << ::testing::PrintToString(text);
    }
  }
}

TEST(PreTokenizer, KnownPatternsKnowEachCharacterAsTheRegularExpressionsDo) {
  std::string text;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    for (const char32_t part : {U'a', c, c, U' ', c, U'\''}) append_utf8(text, part);
  }
  for (const char* regex : {kGpt2Regex, kLlama3, kQwen2}) {
    const Pieces fast = split(one_step(regex_pattern(regex)), text);
    EXPECT_TRUE(fast == split(one_step(icu_pattern(regex)), text)) << regex;
    EXPECT_GT(fast.size(), 1000000U);
  }
}

TEST(PreTokenizer, WordsOfTheFamilies) {
  EXPECT_EQ(split(one_step(regex_pattern(kGpt2Regex)), "I'll pay  $1234 today\n\n  DON'T"),
            (Pieces{"I", "'ll", " pay", " ", " $", "1234", " today", "\n\n ", " DON", "'", "T"}));
  EXPECT_EQ(split(one_step(regex_pattern(kLlama3)), "I'll pay  $1234 today\n\n  DON'T"),
            (Pieces{"I", "'ll", " pay", " ", " $", "123", "4", " today", "\n\n", " ", " DON", "'T"}));
  EXPECT_EQ(split(one_step(regex_pattern(kQwen2)), "(中文)12.\r\nx"),
            (Pieces{"(中文", ")", "1", "2", ".\r\n", "x"}));
}

// The examples of Hugging Face's documentation of SplitDelimiterBehavior.
TEST(PreTokenizer, MatchesGoWhereTheBehaviorSays) {
  const std::string text = "the-final--countdown";
  const auto pieces = [&](SplitBehavior behavior, bool invert = false) {
    return split(one_step(literal_pattern("-"), behavior, invert), text);
  };
  EXPECT_EQ(pieces(SplitBehavior::kRemoved), (Pieces{"the", "final", "countdown"}));
  EXPECT_EQ(pieces(SplitBehavior::kIsolated), (Pieces{"the", "-", "final", "-", "-", "countdown"}));
  EXPECT_EQ(pieces(SplitBehavior::kMergedWithPrevious), (Pieces{"the-", "final-", "-", "countdown"}));
  EXPECT_EQ(pieces(SplitBehavior::kMergedWithNext), (Pieces{"the", "-final", "-", "-countdown"}));
  EXPECT_EQ(pieces(SplitBehavior::kContiguous), (Pieces{"the", "-", "final", "--", "countdown"}));
  EXPECT_EQ(pieces(SplitBehavior::kRemoved, true), (Pieces{"-", "-", "-"}));
}

// As Hugging Face's library does it: an empty match cuts, but one just behind a match does not count.
TEST(PreTokenizer, EmptyMatchesCut) {
  const auto pieces = [](SplitBehavior behavior, bool invert = false) {
    return split(one_step(regex_pattern("x*"), behavior, invert), "axxbbx");
  };
  EXPECT_EQ(pieces(SplitBehavior::kIsolated), (Pieces{"a", "xx", "b", "b", "x"}));
  EXPECT_EQ(pieces(SplitBehavior::kMergedWithPrevious), (Pieces{"axx", "b", "bx"}));
  EXPECT_EQ(pieces(SplitBehavior::kMergedWithNext), (Pieces{"a", "xxb", "b", "x"}));
  EXPECT_EQ(pieces(SplitBehavior::kMergedWithPrevious, true), (Pieces{"a", "xxb", "b", "x"}));
  EXPECT_EQ(pieces(SplitBehavior::kContiguous), (Pieces{"a", "xx", "b", "b", "x"}));
}

// Two seconds of time, then the text is refused.
TEST(PreTokenizer, ARegularExpressionThatExplodesEnds) {
  const auto rules = one_step(regex_pattern("(?:a*)*(?:a|aa)+x"));
  EXPECT_NE(message_of<InputError>([&] { split(rules, std::string(80, 'a')); }).find("gave up"),
            std::string::npos);
}

TEST(PreTokenizer, StepsCutThePiecesOfTheStepBefore) {
  PreTokenizer rules = one_step(digit_pattern());
  rules.after.push_back({regex_pattern(kGpt2Regex), SplitBehavior::kIsolated, false});
  EXPECT_EQ(split(rules, "in 2024 x½Ⅷ"), (Pieces{"in", " ", "2", "0", "2", "4", " x", "½", "Ⅷ"}));
  rules = one_step(digit_pattern(), SplitBehavior::kContiguous);
  EXPECT_EQ(split(rules, "in 2024!"), (Pieces{"in ", "2024", "!"}));
}

TEST(PreTokenizer, ASpaceIsPutBeforeEachPieceThatHasNone) {
  PreTokenizer rules = one_step(literal_pattern("|"), SplitBehavior::kRemoved);
  rules.add_prefix_space = true;
  EXPECT_EQ(split(rules, "a b| c|d"), (Pieces{" a b", " c", " d"}));
  rules.after.push_back({digit_pattern(), SplitBehavior::kIsolated, false});
  EXPECT_EQ(split(rules, "1a2| 3|4"), (Pieces{" ", "1", "a", "2", " ", "3", " ", "4"}));
}

TEST(PreTokenizer, OtherRegularExpressionsAreTakenOrRefused) {
  EXPECT_EQ(split(one_step(regex_pattern(R"([\p{L}\p{M}]+|\d{2})")), "né\u0301e12 3"),
            (Pieces{"né\u0301e", "12", " 3"}));
  const char* const refused[] = {R"(\w+)",
                                 "^a",
                                 "a$",
                                 "a.b",
                                 R"(\bx)",
                                 R"(\h)",
                                 "[[:alpha:]]",
                                 "[:alpha:]",
                                 "[^:alpha:]",
                                 "[a&&b]",
                                 "(?<n>a)",
                                 R"((a)\1)",
                                 "(?m:a)",
                                 R"(\p{XDigit})",
                                 R"(\p{Word})",
                                 R"([\p{Alpha}])",
                                 R"(\P{Alnum})",
                                 R"(\p{Script=Han})",
                                 R"(\p{gc=Lu})",
                                 R"(\p{^L})",
                                 R"(\p{lu})",
                                 R"(\p{han})",
                                 R"(\p{Hani})",
                                 R"(\p{L Lu})",
                                 R"(\p{Letter})",
                                 R"(\p{Unknown})",
                                 R"(\p{})",
                                 R"(\p{L)",
                                 R"(\pL)",
                                 R"((?i:\p{Lu}))",
                                 R"((?i:a(b)(?:c[\p{Ll}])))"};
  for (const char* regex : refused)
    EXPECT_NE(message_of<InputError>([&] { regex_pattern(regex); }).find("libraries read differently"),
              std::string::npos)
        << regex;
  EXPECT_EQ(split(one_step(regex_pattern(R"([\p{Lu}\p{Nd}]+|\p{Han}+|\P{Z})")), "AB1ab 中文ж"),
            (Pieces{"AB1", "a", "b", " ", "中文", "ж"}));
  EXPECT_EQ(split(one_step(regex_pattern(R"((?i:a(b))\p{Lu})")), "xaBCaBc"), (Pieces{"x", "aBC", "aBc"}));
  EXPECT_NE(message_of<InputError>([] { regex_pattern(R"(a+|\p{XDigit}b)"); }).find(R"('\p{XDigit}')"),
            std::string::npos);
  for (const char* regex : {"(a", "a)", "[a", "*"})
    EXPECT_NE(message_of<InputError>([&] { regex_pattern(regex); }).find("no regular expression"),
              std::string::npos)
        << regex;
}

TEST(PreTokenizer, LongRunsTakeAMoment) {
  for (const char* regex : {kGpt2Regex, kLlama3, kQwen2}) {
    for (const char* part : {"a", " ", "1", "!", "\n", " \n", "中", "'", "a "}) {
      std::string text;
      while (text.size() < 2000000) text += part;
      std::size_t bytes = 0;
      PreTokenizerRun(one_step(regex_pattern(regex))).split(text, [&](const PreTokenizerRun::Piece& piece) {
        bytes += piece.bytes.size();
      });
      EXPECT_EQ(bytes, text.size());
    }
  }
}

}  // namespace
}  // namespace relmpi
