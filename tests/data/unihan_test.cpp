#include "data/spelling/unihan.h"

#include <bzlib.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/random.h"
#include "test_data.h"

namespace relmpi {
namespace {

using Characters = std::vector<char32_t>;

// Lines as the database has them (Unicode 15.0), of a few characters.
constexpr const char* kReadings =
    "# comment\n"
    "U+5B57\tkMandarin\tzì\n"
    "U+5B57\tkDefinition\tletter, character\n"
    "U+81EA\tkHanyuPinlu\tzì(2000)\n"
    "U+5FD7\tkMandarin\tzhì\n"
    "U+884C\tkHanyuPinlu\txíng(2943) háng(218)\n"
    "U+884C\tkXHC1983\t0442.080,0443.050*:háng 1290.030:xíng\n"
    "U+5973\tkTGHZ2013\t262.030:nǚ\n"
    "U+5FC3\tkMandarin\txīn\n";
constexpr const char* kDictionary =
    "U+5B57\tkCangjie\tJND\n"
    "U+5B57\tkFourCornerCode\t3040.7\n"
    "U+5B66\tkCangjie\tFBND\n"
    "U+5B66\tkFourCornerCode\t9040.7\n"
    "U+5B87\tkCangjie\tJMD\n"
    "U+5FC3\tkCangjie\tP\n"
    "U+8BDD\tkPhonetic\t1171*\n"
    "U+8F66\tkPhonetic\t100x\n"
    "U+8A71\tkPhonetic\t1171 1200A\n"
    "U+9171\tkPhonetic\t1200A\n";
constexpr const char* kSources =
    "U+5B57\tkTotalStrokes\t6\nU+5B66\tkTotalStrokes\t8\nU+5B87\tkTotalStrokes\t6\n";
constexpr const char* kVariants = "U+8BDD\tkTraditionalVariant\tU+8A71\n";

std::string bzip2(std::string bytes) {
  std::string packed(bytes.size() + 1000, '\0');
  auto size = static_cast<unsigned>(packed.size());
  const auto length = static_cast<unsigned>(bytes.size());
  if (BZ2_bzBuffToBuffCompress(packed.data(), &size, bytes.data(), length, 9, 0, 0) != BZ_OK) return "";
  packed.resize(size);
  return packed;
}

void write_unihan(const TemporaryFolder& folder) {
  write_file_atomic(folder / "Unihan_Readings.txt.bz2", bzip2(kReadings));
  write_file_atomic(folder / "Unihan_DictionaryLikeData.txt", kDictionary);
  write_file_atomic(folder / "Unihan_IRGSources.txt.bz2", bzip2(kSources));
  write_file_atomic(folder / "Unihan_Variants.txt", kVariants);
}

TEST(Unihan, ReadsPlainAndPackedFiles) {
  const TemporaryFolder folder;
  write_unihan(folder);
  const auto unihan = load_unihan(folder.path());
  EXPECT_EQ(unihan.at(U'行').syllables, (std::vector<std::string>{"xing", "hang"}));
  EXPECT_EQ(unihan.at(U'女').syllables, (std::vector<std::string>{"nv"}));
  EXPECT_EQ(unihan.at(U'字').strokes, 6);
  EXPECT_EQ(unihan.at(U'字').four_corners, (std::vector<std::string>{"3040"}));
  EXPECT_EQ(unihan.at(U'话').phonetics, (std::vector<std::string>{"1171"}));
  EXPECT_TRUE(unihan.at(U'车').phonetics.empty());
  EXPECT_EQ(unihan.at(U'话').traditional, (Characters{U'話'}));
}

TEST(Unihan, MissingAndDamagedFilesAreNamed) {
  const TemporaryFolder folder;
  const auto load = [&] { load_unihan(folder.path()); };
  EXPECT_NE(message_of<InputError>(load).find("Unihan_Readings.txt.bz2"), std::string::npos);
  write_unihan(folder);
  auto packed = bzip2(kSources);
  write_file_atomic(folder / "Unihan_IRGSources.txt.bz2", packed.substr(0, packed.size() / 2));
  EXPECT_NE(message_of<InputError>(load).find("Unihan_IRGSources.txt.bz2: damaged"), std::string::npos);
  packed[packed.size() / 2] ^= 1;
  write_file_atomic(folder / "Unihan_IRGSources.txt.bz2", packed);
  EXPECT_NE(message_of<InputError>(load).find("damaged"), std::string::npos);
  write_file_atomic(folder / "Unihan_IRGSources.txt", "no tabs here\n");
  EXPECT_NE(message_of<InputError>(load).find(":1: not a line of Unihan"), std::string::npos);
  EXPECT_THROW(load_unihan(folder / "absent"), InputError);
}

TEST(Unihan, TonesGo) {
  EXPECT_EQ(toneless("xíng"), "xing");
  EXPECT_EQ(toneless("lǜ"), "lv");
  EXPECT_EQ(toneless("nü3"), "nv");
  EXPECT_EQ(toneless("ế"), "e");
  EXPECT_EQ(toneless("de"), "de");
}

TEST(Unihan, SimilarSyllablesDifferInOneSubstitution) {
  const auto sorted = [](const std::string& syllable) {
    auto similar = similar_syllables(syllable);
    std::ranges::sort(similar);
    return similar;
  };
  using Syllables = std::vector<std::string>;
  EXPECT_EQ(sorted("zhang"), (Syllables{"zang", "zhan"}));
  EXPECT_EQ(sorted("li"), (Syllables{"ni", "ri"}));
  EXPECT_EQ(sorted("xian"), (Syllables{"xiang"}));
  EXPECT_EQ(sorted("dong"), (Syllables{"dun"}));
  EXPECT_EQ(sorted("ying"), (Syllables{"yin"}));
  EXPECT_EQ(sorted("ba"), (Syllables{}));
}

// The textbook recursion.
int slow_distance(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) return static_cast<int>(a.size() + b.size());
  const auto x = a.substr(1), y = b.substr(1);
  return std::min(
      {slow_distance(x, b) + 1, slow_distance(a, y) + 1, slow_distance(x, y) + (a[0] == b[0] ? 0 : 1)});
}

TEST(Unihan, EditDistanceIsThatOfTheTextbook) {
  Random random(1, "edit");
  const auto word = [&] {
    std::string out;
    for (auto n = random.below(6); n > 0; --n) out.push_back(static_cast<char>('A' + random.below(3)));
    return out;
  };
  for (int i = 0; i < 3000; ++i) {
    const auto a = word(), b = word();
    EXPECT_EQ(edit_distance_up_to_2(a, b), std::min(3, slow_distance(a, b))) << a << " " << b;
  }
}

TEST(Unihan, ConfusionFollowsTheRules) {
  const TemporaryFolder folder;
  write_unihan(folder);
  const auto set = confusion_from_unihan(load_unihan(folder.path()), U"自字志行女心学宇话酱車");
  EXPECT_EQ(set.same_sound, (ConfusionSet::Lists{{U'字', {U'自'}}, {U'自', {U'字'}}}));
  EXPECT_EQ(set.similar_sound.at(U'志'), (Characters{U'自', U'字'}));
  EXPECT_EQ(set.similar_sound.at(U'心'), (Characters{U'行'}));
  // 字 JND and 宇 JMD: distance 1. 字 and 学 FBND: distance 2, last code and corners equal. 学 and 宇:
  // distance 3.
  EXPECT_EQ(set.similar_shape.at(U'字'), (Characters{U'学', U'宇'}));
  EXPECT_EQ(set.similar_shape.at(U'学'), (Characters{U'字'}));
  // 话's traditional form 話 shares a phonetic class with 酱.
  EXPECT_EQ(set.similar_shape.at(U'话'), (Characters{U'酱'}));
  EXPECT_FALSE(set.similar_shape.contains(U'心'));
}

TEST(Unihan, StrokesFarApartAreNoSimilarShape) {
  UnihanCharacter a{{}, {"JND"}, {"3040"}, {}, {}, 6}, b{{}, {"FBND"}, {"9040"}, {}, {}, 8};
  EXPECT_TRUE(similar_shape(a, b));
  b.strokes = 11;
  EXPECT_FALSE(similar_shape(a, b));
  b.strokes = 8;
  b.four_corners = {"9141"};
  EXPECT_FALSE(similar_shape(a, b));
}

}  // namespace
}  // namespace relmpi
