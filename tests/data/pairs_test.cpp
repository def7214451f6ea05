#include "data/shards/pairs.h"

#include "base/files.h"
#include "base/utf8.h"
#include "tests/data/shard_testing.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

using namespace testing;

struct Reading {
  std::vector<TextPair> pairs;
  std::vector<std::int64_t> lines;
  BadLines bad;
  std::int64_t line_count = 0;
  std::string xxh3;
};

Reading read(const std::string& bytes, std::int64_t max_length = 128) {
  const TemporaryFolder folder;
  overwrite(folder / "pairs.tsv", bytes);
  PairReader reader(folder / "pairs.tsv", max_length);
  Reading result;
  TextPair pair;
  while (reader.next(pair, result.bad)) {
    result.pairs.push_back(pair);
    result.lines.push_back(reader.line());
  }
  result.line_count = reader.line();
  result.xxh3 = reader.xxh3();
  return result;
}

TEST(Pairs, SpacesOnlySeparate) {
  const TextPair wanted{U"我喜欢9a", U"我欢喜9a"};
  for (const std::string line :
       {"我喜欢9a\t我欢喜9a", "我 喜 欢 9 a\t我 欢 喜 9 a", " 我喜 欢9a \t 我欢喜 9a ",
        "我\u3000喜\u00A0欢9a\t我欢\u2028喜9\u0085a", "\uFEFF我喜欢9a\t我欢喜9a", "我喜欢9a\t我欢喜9a\r",
        "我喜欢9a\t我欢喜9a\t", "我喜欢9a\t我欢喜9a\t \t"}) {
    for (const std::string end : {"", "\n"}) {
      const Reading reading = read(line + end);
      ASSERT_EQ(reading.pairs.size(), 1u) << line;
      EXPECT_TRUE(reading.pairs[0] == wanted) << line;
      EXPECT_EQ(reading.line_count, 1);
    }
  }
}

TEST(Pairs, OneTokenACodePoint) {
  const Reading reading = read("😀\U00020000e\u0301\t😁\U00020001e\u0301\n");
  ASSERT_EQ(reading.pairs.size(), 1u);
  EXPECT_EQ(reading.pairs[0].source.size(), 4u);
  EXPECT_EQ(reading.pairs[0].target[1], char32_t{0x20001});
}

TEST(Pairs, AByteOrderMarkIsSkippedAtTheStartAlone) {
  const Reading reading = read("\uFEFF一\t丁\n\uFEFF一\t\uFEFF丁\n");
  ASSERT_EQ(reading.pairs.size(), 2u);
  EXPECT_EQ(reading.pairs[0].source, U"一");
  EXPECT_EQ(reading.pairs[1].source, U"\uFEFF一");
}

TEST(Pairs, BadLinesAreCountedByKindWithTheirPlace) {
  const Reading reading = read(
      "一\t一\n"              // 1
      "一二\t一\n"            // 2 unequal
      "一二\n"                // 3 no TAB
      "\t一\n"                // 4 one side empty
      "一\t一\t一\n"          // 5 three columns
      "一二\t一\t二\n"        // 6 three columns whose characters would add up
      "\n"                    // 7 empty
      " \t\u3000\r\n"         // 8 empty
      "\xE4\xB8\t一\n"        // 9 cut character
      "一\t\xED\xA0\x80\n"    // 10 surrogate
      "一\t一\t\xFF\n"        // 11
      "一一一一\t一一一一\n"  // 12 too long
      "丁\t一",               // 13
      3);
  EXPECT_EQ(reading.line_count, 13);
  EXPECT_EQ(reading.lines, (std::vector<std::int64_t>{1, 13}));
  EXPECT_EQ(reading.bad.count(BadLine::kUnequalLength), 5);
  EXPECT_EQ(reading.bad.count(BadLine::kEmpty), 2);
  EXPECT_EQ(reading.bad.count(BadLine::kInvalidUtf8), 3);
  EXPECT_EQ(reading.bad.count(BadLine::kTooLong), 1);
  EXPECT_EQ(reading.bad.total(), 11);
  const auto examples = reading.bad.examples();
  ASSERT_EQ(examples.size(), BadLines::kExamples);
  EXPECT_EQ(examples[0].line, 2);
  EXPECT_NE(examples[0].detail.find("2 characters against 1"), std::string::npos) << examples[0].detail;
  EXPECT_EQ(examples.back().line, 12);  // the only one of its kind is among them
}

TEST(Pairs, ExamplesAreInOrderAndHaveEveryKind) {
  std::string lines;
  for (int i = 0; i < 50; ++i) lines += "一二\t一\n";
  lines += "\n\xFF\n一一一一\t一一一一\n";
  const auto examples = read(lines, 3).bad.examples();
  ASSERT_EQ(examples.size(), 10u);
  std::vector<int> kinds(kBadLines.size());
  for (std::size_t i = 0; i < examples.size(); ++i) {
    ++kinds[static_cast<std::size_t>(examples[i].kind)];
    if (i > 0) {
      EXPECT_LT(examples[i - 1].line, examples[i].line);
    }
  }
  EXPECT_EQ(kinds, (std::vector<int>{7, 1, 1, 1}));
}

TEST(Pairs, LinesThatCrossThePiecesTheFileIsReadIn) {
  const auto pairs = random_pairs(1, 20000, 120);
  const std::string bytes = lines_of(pairs);
  ASSERT_GT(bytes.size(), std::size_t{3} << 20);
  const Reading reading = read(bytes);
  EXPECT_TRUE(reading.pairs == pairs);
  EXPECT_EQ(reading.bad.total(), 0);
  EXPECT_EQ(reading.xxh3, xxh3_128(bytes));
}

TEST(Pairs, AFileOfExactlyOnePiece) {
  std::string bytes = "一\t丁\n";
  bytes += std::string((1 << 20) - bytes.size() - 1, ' ') + "\n";
  const Reading reading = read(bytes);
  EXPECT_EQ(reading.line_count, 2);
  EXPECT_EQ(reading.bad.count(BadLine::kEmpty), 1);
}

TEST(Pairs, FilesThatCannotBeRead) {
  const TemporaryFolder folder;
  EXPECT_THROW(PairReader(folder / "none.tsv", 128), InputError);
  EXPECT_NE(input_error_of([&] { PairReader(folder.path(), 128); }).find("folder"), std::string::npos);
}

}  // namespace
}  // namespace relmpi
