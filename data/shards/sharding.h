#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/shards/pairs.h"
#include "data/text/vocabulary.h"

namespace relmpi {

constexpr std::array<const char*, 3> kSplitNames = {"train", "validation", "test"};

struct ShardingOptions {
  std::vector<std::filesystem::path> pairs;
  std::filesystem::path out;
  std::int64_t shards = 1;        // of each folder; fewer if there are fewer sentences
  std::vector<double> split;      // shares of train, validation, test; empty = everything into `folder`
  std::string folder = "train";   // where everything goes without a split
  std::int64_t max_length = 128;  // characters of one side
  std::uint64_t seed = 0;         // of the split
  std::string noise;              // JSON: how the errors were made; empty = not synthetic, or not known
  bool strict = false;            // bad lines are fatal
  bool overwrite = false;         // replaces folders of shards that are there

  void validate() const;  // throws InputError
};

struct ShardFolderReport {
  std::string name;
  std::int64_t sentences = 0, tokens = 0, shards = 0;
};

struct ShardingReport {
  std::int64_t read = 0;     // lines
  std::int64_t written = 0;  // sentences
  BadLines skipped;
  std::vector<ShardFolderReport> folders;
};

// Which of the three splits a sentence belongs to: a function of (seed, target text) alone, so that all
// noised copies of one right sentence lie on the same side of a split. Shares are met on average over
// distinct sentences.
std::size_t split_of(const std::u32string& target, std::uint64_t seed, const std::vector<double>& shares);

// Writes OUT/{train,validation,test}/shard-00000.h5 ... with manifest.json and a copy of the vocabulary in
// each. Reads the pairs twice: the first pass counts, so that bad input ends the run before anything is
// written and shards get equal numbers of sentences, in the order of the input. Nothing appears under OUT
// unless everything went well. Throws InputError: bad options; an input that cannot be read; bad lines with
// `strict`; no sentence left; folders that exist already.
ShardingReport shard_pairs(const ShardingOptions& options, const Vocabulary& vocabulary);

}  // namespace relmpi
