#include "data/shards/dataset.h"

#include <algorithm>
#include <thread>

#include "base/files.h"
#include "base/random.h"
#include "data/shards/inspect.h"
#include "data/shards/manifest.h"
#include "data/shards/shard_reader.h"
#include "tests/data/shard_testing.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

using namespace testing;

std::vector<std::uint32_t> ids_of(const std::u32string& text, const Vocabulary& vocabulary) {
  std::vector<std::uint32_t> ids;
  for (const char32_t c : text) ids.push_back(static_cast<std::uint32_t>(vocabulary.character_id(c)));
  return ids;
}

class DatasetTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kSentences = 777;
  TemporaryFolder folder_;
  Vocabulary vocabulary_ = small_vocabulary();
  std::vector<TextPair> pairs_ = random_pairs(11, kSentences);
  std::filesystem::path path_ = shard(folder_, pairs_, vocabulary_, 4);
};

TEST_F(DatasetTest, ReadsAnyRangeAcrossShards) {
  const Dataset dataset(path_, vocabulary_);
  ASSERT_EQ(dataset.sentences(), static_cast<std::int64_t>(kSentences));
  Random random(0, "ranges");
  for (int i = 0; i < 200; ++i) {
    const auto begin = static_cast<std::int64_t>(random.below(kSentences + 1));
    const auto end =
        begin + static_cast<std::int64_t>(random.below(kSentences + 1 - static_cast<std::size_t>(begin)));
    const Sentences read = dataset.read(begin, end);
    Sentences wanted;
    wanted.offsets.push_back(0);
    for (std::int64_t s = begin; s < end; ++s) {
      const TextPair& pair = pairs_[static_cast<std::size_t>(s)];
      for (const std::uint32_t id : ids_of(pair.source, vocabulary_)) wanted.source.push_back(id);
      for (const std::uint32_t id : ids_of(pair.target, vocabulary_)) wanted.target.push_back(id);
      wanted.offsets.push_back(wanted.source.size());
    }
    EXPECT_EQ(read.source, wanted.source);
    EXPECT_EQ(read.target, wanted.target);
    EXPECT_EQ(read.offsets, wanted.offsets);
  }
}

TEST_F(DatasetTest, LengthsCountsAndTokens) {
  const Dataset dataset(path_, vocabulary_);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(vocabulary_.size()));
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < kSentences; ++i) {
    EXPECT_EQ(dataset.lengths()[i], pairs_[i].source.size());
    tokens += static_cast<std::int64_t>(pairs_[i].source.size());
    for (const std::uint32_t id : ids_of(pairs_[i].target, vocabulary_)) ++counts[id];
  }
  EXPECT_EQ(dataset.lengths().size(), kSentences);
  EXPECT_EQ(dataset.tokens(), tokens);
  EXPECT_EQ(dataset.target_counts(), counts);
}

TEST_F(DatasetTest, TheFingerprintNamesTheData) {
  const std::string fingerprint = Dataset(path_, vocabulary_).fingerprint();
  EXPECT_EQ(fingerprint.size(), 32u);
  const TemporaryFolder same, other;
  EXPECT_EQ(Dataset(shard(same, pairs_, vocabulary_, 4), vocabulary_).fingerprint(), fingerprint);
  auto changed = pairs_;
  changed[300].target[0] = changed[300].target[0] == U'一' ? U'丁' : U'一';
  EXPECT_NE(Dataset(shard(other, changed, vocabulary_, 4), vocabulary_).fingerprint(), fingerprint);
}

TEST_F(DatasetTest, ManyThreadsReadAtOnce) {
  const Dataset dataset(path_, vocabulary_);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = static_cast<std::size_t>(t); i < kSentences; i += 7) {
        wrong += !(dataset.text(static_cast<std::int64_t>(i)) == pairs_[i]);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(DatasetTest, InspectCountsDifferencesOfCharactersNotOfIds) {
  std::int64_t wrong = 0, sentences = 0, tokens = 0;
  for (const TextPair& pair : pairs_) {
    std::int64_t here = 0;
    for (std::size_t k = 0; k < pair.source.size(); ++k) here += pair.source[k] != pair.target[k];
    wrong += here;
    sentences += here > 0;
    tokens += static_cast<std::int64_t>(pair.source.size());
  }
  InspectOptions options;
  options.path = path_;
  options.show = 300;  // reaches into the second shard
  options.verify = true;
  const Inspection inspection = inspect(options);
  EXPECT_EQ(inspection.wrong_characters, wrong);
  EXPECT_EQ(inspection.wrong_sentences, sentences);
  EXPECT_EQ(inspection.tokens, tokens);
  EXPECT_TRUE(inspection.hashed);
  EXPECT_TRUE(inspection.examples == std::vector<TextPair>(pairs_.begin(), pairs_.begin() + 300));
}

TEST(MarkErrors, RunsOfErrorsAreMarkedTogether) {
  EXPECT_EQ(mark_errors({U"程序正档则", U"程序正当则"}), "程序正[档>当]则");
  EXPECT_EQ(mark_errors({U"甲乙丙", U"子丑丙"}), "[甲乙>子丑]丙");
  EXPECT_EQ(mark_errors({U"一", U"一"}), "一");
}

TEST_F(DatasetTest, AWrongVocabularyIsNamed) {
  const Vocabulary other = vocabulary_of(U"一丁");
  const std::string error = input_error_of([&] { Dataset(path_, other); });
  EXPECT_NE(error.find(other.xxh3()), std::string::npos) << error;
  EXPECT_NE(error.find(vocabulary_.xxh3()), std::string::npos) << error;
}

TEST_F(DatasetTest, MissingFilesAreNamed) {
  EXPECT_NE(input_error_of([&] { Dataset(folder_ / "none", vocabulary_); }).find("manifest.json"),
            std::string::npos);
  std::filesystem::remove(path_ / "shard-00002.h5");
  EXPECT_NE(input_error_of([&] { Dataset(path_, vocabulary_); }).find("shard-00002.h5"), std::string::npos);
}

TEST_F(DatasetTest, ShardsMayNotBeSwapped) {
  std::filesystem::rename(path_ / "shard-00000.h5", path_ / "keep");
  std::filesystem::rename(path_ / "shard-00001.h5", path_ / "shard-00000.h5");
  std::filesystem::rename(path_ / "keep", path_ / "shard-00001.h5");
  EXPECT_NE(input_error_of([&] { Dataset(path_, vocabulary_); }).find("shard-00000.h5"), std::string::npos);
}

// Changes a shard through HDF5, so that its checksums are right, and mends the manifest.
template <typename T>
void rewrite(const std::filesystem::path& folder, const char* column, hid_t type, std::uint64_t place,
             T value) {
  {
    const hdf5::Session session;
    const hdf5::Location at{(folder / "shard-00000.h5").string(), column, hdf5::Access::kWrite};
    const hdf5::Handle access(RELMPI_HDF5(at, H5Pcreate, H5P_FILE_ACCESS), H5Pclose);
    RELMPI_HDF5(at, H5Pset_libver_bounds, access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    const hdf5::Handle file(RELMPI_HDF5(at, H5Fopen, at.file.c_str(), H5F_ACC_RDWR, access), H5Fclose);
    const hdf5::Handle data(RELMPI_HDF5(at, H5Dopen2, file, column, H5P_DEFAULT), H5Dclose);
    const hdf5::Handle space(RELMPI_HDF5(at, H5Dget_space, data), H5Sclose);
    const hsize_t begin = place, count = 1;
    RELMPI_HDF5(at, H5Sselect_hyperslab, space, H5S_SELECT_SET, &begin, nullptr, &count, nullptr);
    const hdf5::Handle one(RELMPI_HDF5(at, H5Screate_simple, 1, &count, nullptr), H5Sclose);
    RELMPI_HDF5(at, H5Dwrite, data, type, one, space, H5P_DEFAULT, &value);
  }
  Manifest manifest = Manifest::load(folder);
  manifest.shards[0].bytes = std::filesystem::file_size(folder / "shard-00000.h5");
  manifest.shards[0].xxh3 = xxh3_128_of_file(folder / "shard-00000.h5");
  manifest.save(folder);
}

TEST_F(DatasetTest, AnIdPastTheVocabularyIsNamed) {
  const auto size = static_cast<std::uint16_t>(vocabulary_.size());
  rewrite<std::uint16_t>(path_, "/target", H5T_NATIVE_UINT16, 1234, static_cast<std::uint16_t>(size - 1));
  EXPECT_NO_THROW(Dataset(path_, vocabulary_));
  rewrite<std::uint16_t>(path_, "/target", H5T_NATIVE_UINT16, 1234, size);
  const std::string error = input_error_of([&] { Dataset(path_, vocabulary_); });
  EXPECT_NE(error.find(fmt::format("/target: id {} at position 1234", size)), std::string::npos) << error;
  EXPECT_NE(error.find("shard-00000.h5"), std::string::npos) << error;
}

TEST_F(DatasetTest, OffsetsThatDoNotGrowAreNamed) {
  rewrite<std::uint64_t>(path_, "/offsets", H5T_NATIVE_UINT64, 5, 1u << 30);
  const std::string error = input_error_of([&] { Dataset(path_, vocabulary_); });
  EXPECT_NE(error.find("/offsets"), std::string::npos) << error;
}

TEST_F(DatasetTest, AnUnknownCharacterWithoutItsRecordIsNamed) {
  rewrite<std::uint16_t>(path_, "/source", H5T_NATIVE_UINT16, 0,
                         static_cast<std::uint16_t>(vocabulary_.pad()));
  const ShardReader shard(path_ / "shard-00000.h5");
  const auto exceptions = shard.exceptions();
  if (!exceptions.empty() && exceptions[0].position == 0 && exceptions[0].side == 0)
    GTEST_FAIL() << "choose a seed";
  const std::string error = input_error_of([&] { Dataset(path_, vocabulary_).text(0); });
  EXPECT_NE(error.find("/source: id 0 at position 0"), std::string::npos) << error;
}

}  // namespace
}  // namespace relmpi
