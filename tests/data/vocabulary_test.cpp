#include "data/text/vocabulary.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "data/text/sentence_files.h"
#include "data/text/vocabulary_builder.h"
#include "test_data.h"

namespace relmpi {
namespace {

const std::string kSpecial = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";

TEST(Vocabulary, NumbersItsLines) {
  const auto vocabulary = Vocabulary::from_bytes(kSpecial + "中\nab\na\n", "v");
  EXPECT_EQ(vocabulary.size(), 8);
  EXPECT_EQ(vocabulary.pad(), 0);
  EXPECT_EQ(vocabulary.unk(), 1);
  EXPECT_EQ(vocabulary.cls(), 2);
  EXPECT_EQ(vocabulary.sep(), 3);
  EXPECT_EQ(vocabulary.mask(), 4);
  EXPECT_EQ(vocabulary.find("ab"), 6);
  EXPECT_EQ(vocabulary.find("b"), -1);
  EXPECT_EQ(vocabulary.token(5), "中");
  EXPECT_EQ(vocabulary.character(5), U'中');
  EXPECT_EQ(vocabulary.character(6), U'\0');  // two characters
  EXPECT_EQ(vocabulary.xxh3(), xxh3_128(vocabulary.bytes()));
}

TEST(Vocabulary, LooksCharactersUpAsTheyAreThenInLowerCase) {
  const auto vocabulary = Vocabulary::from_bytes(kSpecial + "a\nb\nB\n中\n", "v");
  EXPECT_EQ(vocabulary.character_id(U'A'), vocabulary.find("a"));
  EXPECT_EQ(vocabulary.character_id(U'B'), vocabulary.find("B"));
  EXPECT_EQ(vocabulary.character_id(U'中'), vocabulary.find("中"));
  EXPECT_EQ(vocabulary.character_id(U'国'), vocabulary.unk());
}

TEST(Vocabulary, IsSplitAtNewlineAlone) {
  const std::string separator = "\xe2\x80\xa8";  // U+2028 is a token of bert-base-chinese
  const auto vocabulary = Vocabulary::from_bytes(kSpecial + separator + "\n中\r\nlast", "v");
  EXPECT_EQ(vocabulary.size(), 8);
  EXPECT_EQ(vocabulary.character(5), U'\u2028');
  EXPECT_EQ(vocabulary.token(6), "中");
  EXPECT_EQ(vocabulary.token(7), "last");
}

TEST(Vocabulary, ErrorsNameTheFileAndTheLine) {
  const auto message = [](const std::string& bytes) {
    return message_of<InputError>([&] { Vocabulary::from_bytes(bytes, "v.txt"); });
  };
  EXPECT_NE(message(kSpecial + "a\nb\na\n").find("v.txt:8: the token 'a' is already in line 6"),
            std::string::npos);
  EXPECT_NE(message(kSpecial + "a\n\nb\n").find("v.txt:7: empty"), std::string::npos);
  EXPECT_NE(message(kSpecial + "\xff\n").find("v.txt:6"), std::string::npos);
  EXPECT_NE(message("[PAD]\n[UNK]\n[CLS]\n[SEP]\n").find("no [MASK]"), std::string::npos);
  EXPECT_THROW(Vocabulary::load("/nonexistent/vocab.txt"), InputError);
}

TEST(Vocabulary, ReadsBertBaseChinese) {
  const auto path = shared_data() / "bert-base-chinese" / "vocab.txt";
  RELMPI_NEEDS(path);
  const auto vocabulary = Vocabulary::load(path);
  EXPECT_EQ(vocabulary.size(), 21128);
  EXPECT_EQ(vocabulary.unk(), 100);
  EXPECT_EQ(vocabulary.mask(), 103);
  EXPECT_GE(vocabulary.find("\xe2\x80\xa8"), 0);
}

CharacterCounts counts_of(const std::u32string& text) {
  auto counts = no_counts();
  for (char32_t c : text) ++counts[c];
  return counts;
}

TEST(VocabularyBuilder, KeepsWhatIsFrequentByFallingCountThenCodePoint) {
  std::u32string text = U"中中中国国文文人xxxxyyy\u3000\u3000\u3000\u3000  \t\t\t";
  const auto built = build_vocabulary(counts_of(text), {.min_han = 2, .min_other = 4});
  EXPECT_EQ(built.bytes, kSpecial + "x\n中\n国\n文\n");  // 国 U+56FD before 文 U+6587
  EXPECT_EQ(built.size, 9);
  EXPECT_EQ(built.han, 3);
  EXPECT_EQ(built.distinct, 6);
  EXPECT_EQ(built.characters, 15);  // white space does not count
  EXPECT_EQ(built.covered, 11);
  EXPECT_DOUBLE_EQ(built.unk_share(), 4.0 / 15);
}

TEST(VocabularyBuilder, RefusesCountsBelowOne) {
  EXPECT_THROW(build_vocabulary(no_counts(), {.min_han = 0, .min_other = 1}), InputError);
}

TEST(Text, CountsSkipsAndLowersItsLines) {
  const TemporaryFolder folder;
  write_file_atomic(folder / "a.txt", "中 文\n\n \xe3\x80\x80\n\xff\nAb\n");
  const auto [counts, report] = count_characters({folder / "a.txt"}, false);
  EXPECT_EQ(report.lines, 5);
  EXPECT_EQ(report.sentences, 2);
  EXPECT_EQ(report.empty, 2);
  EXPECT_EQ(report.invalid_utf8, 1);
  ASSERT_EQ(report.examples.size(), 3U);
  EXPECT_EQ(report.examples[2].line, 4);
  EXPECT_EQ(report.examples[2].kind, "invalid_utf8");
  EXPECT_EQ(counts[U'a'], 1);
  EXPECT_EQ(counts[U'A'], 0);
  EXPECT_EQ(counts[U' '], 0);
  EXPECT_EQ(counts[U'文'], 1);
}

TEST(Text, StrictStopsAtTheFirstBadLine) {
  const TemporaryFolder folder;
  write_file_atomic(folder / "a.txt", "中\n\xff\n");
  const auto message = message_of<InputError>([&] { count_characters({folder / "a.txt"}, true); });
  EXPECT_NE(message.find("a.txt:2: invalid_utf8"), std::string::npos) << message;
}

TEST(Text, MissingFilesAndFoldersAreRefused) {
  const TemporaryFolder folder;
  const auto read = [](const std::filesystem::path& path) { count_characters({path}, false); };
  EXPECT_NE(message_of<InputError>([&] { read(folder / "absent"); }).find("absent"), std::string::npos);
  EXPECT_NE(message_of<InputError>([&] { read(folder.path()); }).find("is a folder"), std::string::npos);
}

TEST(Text, SentencesKeepTheirCharactersWithoutSpaces) {
  const TemporaryFolder folder;
  write_file_atomic(folder / "a.txt", "A 中\t文\r\n");
  std::vector<std::u32string> sentences;
  read_sentences({folder / "a.txt"}, "reading", true,
                 [&](const std::u32string& text) { sentences.push_back(text); });
  EXPECT_EQ(sentences, (std::vector<std::u32string>{U"A中文"}));
}

}  // namespace
}  // namespace relmpi
