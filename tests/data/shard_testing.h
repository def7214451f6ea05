#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/shards/sharding.h"
#include "data/text/vocabulary.h"

namespace relmpi::testing {

// A folder that is gone at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// [PAD] [UNK] [CLS] [SEP] [MASK], "##a", then these characters.
Vocabulary vocabulary_of(const std::u32string& characters);

// The 200 characters from U+4E00 on, and a to z.
Vocabulary small_vocabulary();

// Pairs of 1 to `longest` characters of small_vocabulary(), one in ten characters wrong, some unknown, some
// upper case.
std::vector<TextPair> random_pairs(std::uint64_t seed, std::size_t count, std::size_t longest = 40);

// Lines `source TAB target` without spaces.
std::string lines_of(const std::vector<TextPair>& pairs);

// Shards these pairs into FOLDER/train and returns that folder.
std::filesystem::path shard(const TemporaryFolder& folder, const std::vector<TextPair>& pairs,
                            const Vocabulary& vocabulary, std::int64_t shards = 1);

// The folder of real data; empty if it is missing.
std::filesystem::path shared_data();

// Files below a folder, by their names relative to it, with their bytes.
std::vector<std::pair<std::string, std::string>> files_below(const std::filesystem::path& folder);

// A new file of this name (writing over an old one costs a flush to disk).
void overwrite(const std::filesystem::path& path, const std::string& bytes);

// Fills a file that someone may have open with other bytes.
void spoil(const std::filesystem::path& path);

}  // namespace relmpi::testing

namespace relmpi {
inline bool operator==(const TextPair& a, const TextPair& b) {
  return a.source == b.source && a.target == b.target;
}
}  // namespace relmpi
