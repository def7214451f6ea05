#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/text/vocabulary.h"

namespace relmpi {

// A run of sentences in memory: ids of all of them end to end.
struct Sentences {
  std::vector<std::uint32_t> source;   // T ids
  std::vector<std::uint32_t> target;   // T ids
  std::vector<std::uint64_t> offsets;  // n + 1; sentence i is [offsets[i], offsets[i + 1])
};

// The text of one sentence pair, restored exactly as it was sharded.
struct TextPair {
  std::u32string source;
  std::u32string target;
};

// The shards of one folder (manifest.json and shard-*.h5), numbered end to end: sentence 0 is the first of
// the first shard. Reading is thread-safe (libhdf5 is called under one lock).
class Dataset {
 public:
  // Opens and verifies: the manifest, each file's XXH3-128 before libhdf5 sees it, format version, the
  // vocabulary's hash, and ids below the vocabulary's size. Throws InputError naming file, dataset and
  // remedy.
  Dataset(const std::filesystem::path& folder, const Vocabulary& vocabulary);
  ~Dataset();

  std::int64_t sentences() const;
  std::int64_t tokens() const;  // of one side
  // Length of each sentence in characters (kept in memory: 2 bytes a sentence).
  const std::vector<std::uint16_t>& lengths() const;
  // XXH3-128 over the manifests' shard hashes: names the data a run was trained on.
  const std::string& fingerprint() const;

  // Sentences [begin, end).
  Sentences read(std::int64_t begin, std::int64_t end) const;
  TextPair text(std::int64_t sentence) const;
  // How often each token id occurs among the targets (size V).
  std::vector<std::int64_t> target_counts() const;

 private:
  struct Shards;
  std::unique_ptr<Shards> shards_;
};

}  // namespace relmpi
