#include "data/shards/sharding.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/files.h"
#include "base/utf8.h"
#include "data/shards/dataset.h"
#include "data/shards/manifest.h"
#include "data/shards/shard_reader.h"
#include "tests/data/shard_testing.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

using namespace testing;

std::vector<TextPair> texts_of(const std::filesystem::path& folder, const Vocabulary& vocabulary) {
  const Dataset dataset(folder, vocabulary);
  std::vector<TextPair> texts;
  for (std::int64_t i = 0; i < dataset.sentences(); ++i) texts.push_back(dataset.text(i));
  return texts;
}

TEST(Sharding, TextComesBackExactly) {
  const TemporaryFolder folder;
  const std::vector<TextPair> pairs = {
      {U"一丁abc", U"一丂abc"},               // all known
      {U"ABcA", U"abCa"},                     // upper case: ids are those of the small letters
      {U"😀\U00020000字", U"😁\U00020001宇"},   // unknown characters, all [UNK]
      {std::u32string(1, U'\0'), U"\u200D"},  // U+0000 and a joiner
      {U"\U0010FFFF\uFFFE\uE000", U"\uFEFF\uD7FFé"},
  };
  const Vocabulary vocabulary = small_vocabulary();
  EXPECT_TRUE(texts_of(shard(folder, pairs, vocabulary), vocabulary) == pairs);
}

TEST(Sharding, RandomTextComesBackOverSeveralShards) {
  const TemporaryFolder folder;
  const Vocabulary vocabulary = small_vocabulary();
  const auto pairs = random_pairs(2, 3001);
  EXPECT_TRUE(texts_of(shard(folder, pairs, vocabulary, 7), vocabulary) == pairs);
  const Manifest manifest = Manifest::load(folder / "train");
  ASSERT_EQ(manifest.shards.size(), 7u);
  for (const auto& item : manifest.shards) {
    EXPECT_GE(item.sentences, 3001u / 7);
    EXPECT_LE(item.sentences, 3001u / 7 + 1);
  }
}

TEST(Sharding, SentencesOverManyChunksComeBack) {
  const TemporaryFolder folder;
  const Vocabulary vocabulary = small_vocabulary();
  const auto pairs = random_pairs(3, 25000, 60);  // more than one flush of the writer
  const auto path = shard(folder, pairs, vocabulary);
  const Dataset dataset(path, vocabulary);
  ASSERT_EQ(dataset.sentences(), 25000);
  EXPECT_GT(dataset.tokens(), static_cast<std::int64_t>(32 * kShardChunk));
  for (const std::int64_t i : {0, 1, 7777, 12345, 24999}) {
    EXPECT_TRUE(dataset.text(i) == pairs[static_cast<std::size_t>(i)]) << i;
  }
}

TEST(Sharding, AVocabularyOfMoreThan65536TokensIsStoredIn32Bits) {
  std::u32string characters;
  for (char32_t c = 0x20000; c < 0x20000 + 66000; ++c) characters += c;
  const Vocabulary vocabulary = vocabulary_of(characters);
  const TemporaryFolder folder;
  const std::vector<TextPair> pairs = {{characters.substr(65900, 50), characters.substr(65950, 50)}};
  const auto path = shard(folder, pairs, vocabulary);
  EXPECT_TRUE(texts_of(path, vocabulary) == pairs);
  const Sentences ids = Dataset(path, vocabulary).read(0, 1);
  EXPECT_EQ(ids.source[0], 65900u + 6);
}

TEST(Sharding, EqualInputGivesEqualBytes) {
  const Vocabulary vocabulary = small_vocabulary();
  const auto pairs = random_pairs(4, 500);
  const TemporaryFolder first, second;
  shard(first, pairs, vocabulary, 3);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // HDF5's time stamps count seconds
  shard(second, pairs, vocabulary, 3);
  const auto files = files_below(first / "train");
  EXPECT_EQ(files.size(), 5u);
  EXPECT_TRUE(files == files_below(second / "train"));
}

TEST(Sharding, HeaderSaysWhereTheDataCameFrom) {
  const TemporaryFolder folder;
  overwrite(folder / "pairs.tsv", "一\t丁\n");
  ShardingOptions options;
  options.pairs = {folder / "pairs.tsv"};
  options.out = folder.path();
  options.noise = R"({"seed":7})";
  shard_pairs(options, small_vocabulary());
  const ShardReader shard(folder / "train/shard-00000.h5");
  EXPECT_EQ(shard.header().format_version, 1u);
  EXPECT_EQ(shard.header().vocab_xxh3, small_vocabulary().xxh3());
  EXPECT_EQ(shard.header().noise, R"({"seed":7})");
  const auto sources = nlohmann::json::parse(shard.header().sources);
  EXPECT_EQ(sources,
            nlohmann::json::parse(R"([{"file":"pairs.tsv","xxh3":")" + xxh3_128("一\t丁\n") + "\"}]"));
}

// Eight copies of each of 2,000 targets, with sources of their own.
std::vector<TextPair> copies() {
  std::vector<TextPair> pairs;
  const auto targets = random_pairs(5, 2000);
  for (int copy = 0; copy < 8; ++copy) {
    for (const TextPair& pair : targets) {
      pairs.push_back(pair);
      pairs.back().source[0] = 0x4E00 + static_cast<char32_t>(copy);
    }
  }
  return pairs;
}

TEST(Sharding, CopiesOfASentenceNeverStraddleSplits) {
  const TemporaryFolder folder;
  const Vocabulary vocabulary = small_vocabulary();
  const auto pairs = copies();
  overwrite(folder / "pairs.tsv", lines_of(pairs));
  ShardingOptions options;
  options.pairs = {folder / "pairs.tsv"};
  options.out = folder.path();
  options.split = {.7, .2, .1};
  options.shards = 2;
  const ShardingReport report = shard_pairs(options, vocabulary);
  EXPECT_EQ(report.written, static_cast<std::int64_t>(pairs.size()));
  std::map<std::u32string, std::set<std::string>> places;
  std::map<std::string, double> share;
  std::size_t total = 0;
  for (const char* name : kSplitNames) {
    for (const TextPair& pair : texts_of(folder / name, vocabulary)) {
      places[pair.target].insert(name);
      share[name] += 1. / static_cast<double>(pairs.size());
      ++total;
    }
  }
  EXPECT_EQ(total, pairs.size());
  for (const auto& [target, names] : places) EXPECT_EQ(names.size(), 1u) << encode_utf8(target);
  EXPECT_NEAR(share["train"], .7, .04);
  EXPECT_NEAR(share["validation"], .2, .04);
  EXPECT_NEAR(share["test"], .1, .03);
}

TEST(Sharding, TheSplitDependsOnTheSeedAndHonoursZeroShares) {
  const std::vector<double> shares = {.5, 0, .5};
  int moved = 0;
  std::array<int, 3> counts{};
  for (const TextPair& pair : random_pairs(6, 1000)) {
    const std::size_t place = split_of(pair.target, 1, shares);
    ++counts[place];
    moved += place != split_of(pair.target, 2, shares);
    EXPECT_EQ(place, split_of(pair.target, 1, shares));
  }
  EXPECT_EQ(counts[1], 0);
  EXPECT_NEAR(counts[0], 500, 70);
  EXPECT_NEAR(moved, 500, 80);
}

class ShardingFailure : public ::testing::Test {
 protected:
  ShardingFailure() {
    overwrite(folder_ / "pairs.tsv", "一\t丁\n一丁\t丁\n");
    options_.pairs = {folder_ / "pairs.tsv"};
    options_.out = folder_ / "out/deep";
  }

  std::string error() {
    return input_error_of([&] { shard_pairs(options_, small_vocabulary()); });
  }

  TemporaryFolder folder_;
  ShardingOptions options_;
};

TEST_F(ShardingFailure, StrictNamesTheFirstBadLineAndWritesNothing) {
  options_.strict = true;
  const std::string text = error();
  EXPECT_NE(text.find("pairs.tsv:2"), std::string::npos) << text;
  EXPECT_NE(text.find("unequal_length"), std::string::npos) << text;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

TEST_F(ShardingFailure, NoSentenceLeft) {
  overwrite(folder_ / "pairs.tsv", "\n\n一\n");
  EXPECT_NE(error().find("no sentence pair among 3 lines"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

TEST_F(ShardingFailure, AMissingSecondFileWritesNothing) {
  options_.pairs.push_back(folder_ / "none.tsv");
  EXPECT_NE(error().find("none.tsv"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

TEST_F(ShardingFailure, APipeIsRefusedInPlaceOfReadHalf) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  options_.pairs = {folder_ / "pipe"};
  EXPECT_NE(error().find("pipe is no ordinary file"), std::string::npos);
}

TEST_F(ShardingFailure, WhatIsThereIsRefusedUnlessOverwritten) {
  const Vocabulary vocabulary = small_vocabulary();
  shard_pairs(options_, vocabulary);
  const auto before = files_below(options_.out);
  EXPECT_NE(error().find("--overwrite"), std::string::npos);
  EXPECT_TRUE(files_below(options_.out) == before);

  overwrite(folder_ / "pairs.tsv", "丂\t七\n");
  options_.overwrite = true;
  shard_pairs(options_, vocabulary);
  EXPECT_TRUE(texts_of(options_.out / "train", vocabulary) == (std::vector<TextPair>{{U"丂", U"七"}}));
  EXPECT_EQ(files_below(options_.out).size(), 3u);

  overwrite(options_.out / "train/notes.txt", "mine");
  EXPECT_NE(error().find("notes.txt"), std::string::npos);
  EXPECT_EQ(read_file(options_.out / "train/notes.txt"), "mine");
}

TEST_F(ShardingFailure, ASplitReplacesAllThreeFolders) {
  const Vocabulary vocabulary = small_vocabulary();
  overwrite(folder_ / "pairs.tsv", lines_of(random_pairs(7, 300)));
  options_.split = {.4, .3, .3};
  shard_pairs(options_, vocabulary);
  options_.overwrite = true;
  options_.split = {1, 0, 0};
  shard_pairs(options_, vocabulary);
  EXPECT_TRUE(std::filesystem::exists(options_.out / "train"));
  EXPECT_FALSE(std::filesystem::exists(options_.out / "validation"));  // would overlap the new training data
  EXPECT_FALSE(std::filesystem::exists(options_.out / "test"));
}

TEST_F(ShardingFailure, WrongOptionsNameTheOption) {
  const ShardingOptions good = options_;
  const auto expect = [&](const char* option, const std::function<void(ShardingOptions&)>& change) {
    options_ = good;
    change(options_);
    EXPECT_NE(error().find(option), std::string::npos) << option;
  };
  expect("--pairs", [](auto& o) { o.pairs.clear(); });
  expect("--shards", [](auto& o) { o.shards = 0; });
  expect("--max-length", [](auto& o) { o.max_length = 0; });
  expect("--max-length", [](auto& o) { o.max_length = 65536; });
  expect("--split", [](auto& o) { o.split = {.5, .5}; });
  expect("--split", [](auto& o) { o.split = {.8, .1, .2}; });
  expect("--split", [](auto& o) { o.split = {1.2, -.2, 0}; });
  expect("--split", [](auto& o) { o.split = {std::nan(""), .5, .5}; });
  expect("--folder", [](auto& o) { o.folder = "../elsewhere"; });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

TEST_F(ShardingFailure, LongSentencesAreCounted) {
  overwrite(folder_ / "pairs.tsv", "一一一\t一一一\n一一一一\t一一一一\n");
  options_.max_length = 3;
  const ShardingReport report = shard_pairs(options_, small_vocabulary());
  EXPECT_EQ(report.written, 1);
  EXPECT_EQ(report.skipped.count(BadLine::kTooLong), 1);
}

}  // namespace
}  // namespace relmpi
