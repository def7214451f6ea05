// Damage must be found before a damaged value is used, and libhdf5 must not crash on it.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/files.h"
#include "base/random.h"
#include "data/shards/dataset.h"
#include "data/shards/inspect.h"
#include "data/shards/manifest.h"
#include "data/shards/shard_reader.h"
#include "tests/data/shard_testing.h"
#include "tests/flip_bit.h"
#include "tests/input_error.h"

// LeakSanitizer asks for this: libhdf5 1.10 does not free all it took when the metadata of a file is damaged.
extern "C" const char* __lsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }

namespace relmpi {
namespace {

using namespace testing;

constexpr std::uint64_t kFlips = 2000;

class ShardDamage : public ::testing::Test {
 protected:
  // Whether the lone shard gives back every sentence.
  bool unchanged() const {
    const ShardReader reader(shard_);
    const auto lengths = reader.lengths();
    const TextPair all = restore_text(reader, reader.exceptions(), vocabulary_, 0, reader.header().tokens);
    std::size_t begin = 0;
    for (std::size_t i = 0; i < pairs_.size(); begin += lengths[i++]) {
      if (lengths.size() != pairs_.size() || lengths[i] != pairs_[i].source.size()) return false;
      if (all.source.compare(begin, lengths[i], pairs_[i].source) != 0) return false;
      if (all.target.compare(begin, lengths[i], pairs_[i].target) != 0) return false;
    }
    return true;
  }

  // Flips a bit, lets `check` look at the damage, flips it back.
  static void with_flip(const std::filesystem::path& path, std::uint64_t bit,
                        const std::function<void()>& check) {
    SCOPED_TRACE(fmt::format("{}: bit {} of byte {}", path.filename().string(), bit % 8, bit / 8));
    flip_bit(path, bit);
    check();
    flip_bit(path, bit);
  }

  // kFlips random bits of a file of this size.
  static std::vector<std::uint64_t> random_bits(std::size_t bytes, std::string_view purpose) {
    std::vector<std::uint64_t> bits;
    for (std::uint64_t i = 0; i < kFlips; ++i) bits.push_back(Random(7, purpose, i).below(8 * bytes));
    return bits;
  }

  TemporaryFolder folder_;
  Vocabulary vocabulary_ = small_vocabulary();
  std::vector<TextPair> pairs_ = random_pairs(21, 3000);
  std::filesystem::path path_ = testing::shard(folder_, pairs_, vocabulary_);
  std::filesystem::path shard_ = path_ / "shard-00000.h5";
  std::filesystem::path manifest_ = path_ / "manifest.json";
  std::string shard_bytes_ = read_file(shard_);
  std::string manifest_bytes_ = read_file(manifest_);
};

TEST_F(ShardDamage, EveryFlippedBitOfAShardIsFoundByItsHash) {
  for (const std::uint64_t bit : random_bits(shard_bytes_.size(), "shard")) {
    with_flip(shard_, bit, [&] {
      const std::string error = input_error_of([&] { Dataset(path_, vocabulary_); });
      EXPECT_NE(error.find("shard-00000.h5"), std::string::npos) << error;
      EXPECT_NE(error.find("XXH3-128"), std::string::npos) << error;
    });
  }
  EXPECT_EQ(Dataset(path_, vocabulary_).sentences(), 3000);  // all bits were flipped back
}

// Not a sample: every bit there is, of a manifest of two shards.
TEST_F(ShardDamage, EveryBitOfAManifestIsFound) {
  const TemporaryFolder folder;
  const auto path = testing::shard(folder, random_pairs(23, 40), vocabulary_, 2);
  const auto manifest = path / Manifest::kFileName;
  const std::uint64_t bits = 8 * std::filesystem::file_size(manifest);
  EXPECT_GT(bits, kFlips);
  InspectOptions options;
  options.path = path;
  for (std::uint64_t bit = 0; bit < bits; ++bit) {
    with_flip(manifest, bit, [&] {
      EXPECT_THROW(Dataset(path, vocabulary_), InputError);
      EXPECT_THROW(inspect(options), InputError);
    });
  }
  EXPECT_EQ(Dataset(path, vocabulary_).sentences(), 40);
}

// Without a manifest the checksums inside must do: what they do not cover (gaps between the parts of the
// file) holds nothing, so the text must come back unchanged then.
TEST_F(ShardDamage, NoFlippedBitOfALoneShardChangesWhatIsRead) {
  std::filesystem::remove(manifest_);
  InspectOptions options;
  options.path = shard_;
  std::uint64_t found = 0;
  for (const std::uint64_t bit : random_bits(shard_bytes_.size(), "lone shard")) {
    with_flip(shard_, bit, [&] {
      try {
        inspect(options);
        EXPECT_TRUE(unchanged()) << "went unseen";
      } catch (const InputError& error) {
        ++found;
        EXPECT_NE(std::string(error.what()).find("shard-00000.h5"), std::string::npos) << error.what();
      }
    });
  }
  RecordProperty("found", static_cast<int>(found));
  EXPECT_GE(found, kFlips * 9 / 10);
}

// The head of the file holds most of what libhdf5 trusts: superblock, object headers, chunk indices.
TEST_F(ShardDamage, NoFlippedBitInTheHeadOfALoneShardChangesWhatIsRead) {
  std::filesystem::remove(manifest_);
  for (std::uint64_t byte = 0; byte < 1500; ++byte) {
    with_flip(shard_, 8 * byte + byte % 8, [&] {
      try {
        EXPECT_TRUE(unchanged()) << "went unseen";
      } catch (const InputError&) {
      }
    });
  }
}

TEST_F(ShardDamage, ADamagedChunkIsNamed) {
  std::filesystem::remove(manifest_);
  // Where the ids of sentence 1,500 lie in the file: chunk 1 of /source or later.
  std::string needle;
  std::uint64_t position = 0;
  for (std::size_t i = 0; i < 1500; ++i) position += pairs_[i].source.size();
  for (std::size_t i = 1500; needle.size() < 64; ++i) {
    for (const char32_t c : pairs_[i].source) {
      const auto id = static_cast<std::uint16_t>(vocabulary_.character_id(c));
      needle += {static_cast<char>(id & 0xFF), static_cast<char>(id >> 8)};
    }
  }
  std::string bytes = shard_bytes_;
  const std::size_t at = bytes.find(needle);
  ASSERT_NE(at, std::string::npos);
  bytes[at] ^= 1;
  overwrite(shard_, bytes);
  InspectOptions options;
  options.path = shard_;
  const std::string error = input_error_of([&] { inspect(options); });
  EXPECT_NE(error.find(fmt::format("/source: chunk {}", position / kShardChunk)), std::string::npos) << error;
}

TEST_F(ShardDamage, TruncationIsFound) {
  for (const double share : {0., .001, .1, .5, .9, .9999}) {
    const auto size = static_cast<std::size_t>(share * static_cast<double>(shard_bytes_.size()));
    overwrite(shard_, shard_bytes_.substr(0, size));
    overwrite(manifest_, manifest_bytes_);
    EXPECT_NE(input_error_of([&] { Dataset(path_, vocabulary_); }).find("shard-00000.h5"), std::string::npos);
    std::filesystem::remove(manifest_);
    InspectOptions options;
    options.path = shard_;
    EXPECT_NE(input_error_of([&] { inspect(options); }).find("shard-00000.h5"), std::string::npos) << share;
  }
}

TEST_F(ShardDamage, ChangedNumbersInTheManifestAreFound) {
  const Manifest good = Manifest::load(path_);
  const auto expect = [&](const std::function<void(Manifest&)>& change) {
    Manifest bad = good;
    change(bad);
    bad.save(path_);
    EXPECT_THROW(Dataset(path_, vocabulary_), InputError);
  };
  expect([](Manifest& m) { m.shards[0].sentences += 1; });
  expect([](Manifest& m) { m.shards[0].tokens -= 1; });
  expect([](Manifest& m) { m.shards[0].bytes += 1; });
  expect([](Manifest& m) { m.shards[0].file = "../train/shard-00000.h5"; });
  expect([](Manifest& m) { m.vocab_xxh3[3] ^= 1; });
  expect([](Manifest& m) { m.shards.clear(); });
}

// Files that were never shards.
TEST_F(ShardDamage, OtherFilesAreRefused) {
  std::filesystem::remove(manifest_);
  InspectOptions options;
  options.path = shard_;
  for (const std::string& bytes : {std::string(), std::string("text"), std::string(5000, '\0')}) {
    overwrite(shard_, bytes);
    EXPECT_THROW(inspect(options), InputError);
  }
  options.path = folder_ / "none.h5";
  EXPECT_THROW(inspect(options), InputError);
}

// A file in place, changed under a data set that was opened before.
TEST_F(ShardDamage, DamageAfterOpeningIsFoundByTheChunk) {
  const TemporaryFolder folder;
  const auto path =
      testing::shard(folder, random_pairs(22, 60000), vocabulary_);  // more than libhdf5 keeps in memory
  const Dataset dataset(path, vocabulary_);
  spoil(path / "shard-00000.h5");
  const std::string error = input_error_of([&] { dataset.read(0, 10); });
  EXPECT_NE(error.find("shard-00000.h5: /source: chunk 0"), std::string::npos) << error;
}

}  // namespace
}  // namespace relmpi
