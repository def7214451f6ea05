#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/shards/dataset.h"
#include "data/shards/shard_format.h"
#include "data/text/vocabulary.h"

namespace relmpi {

struct InspectOptions {
  std::filesystem::path path;        // a shard, or a folder of shards
  bool verify = false;               // also restore every sentence, if the vocabulary is at hand
  std::int64_t show = 0;             // sentence pairs to restore, the first ones
  std::filesystem::path vocabulary;  // for both; empty = vocab.txt beside the shards
};

struct Inspection {
  std::vector<ShardHeader> shards;
  std::int64_t sentences = 0;
  std::int64_t tokens = 0;            // of one side
  std::int64_t wrong_characters = 0;  // source != target
  std::int64_t wrong_sentences = 0;   // with at least one of them
  std::int64_t exceptions = 0;        // characters that their ids do not give back
  std::int64_t longest = 0;
  bool hashed = false;  // each file's XXH3-128 was compared with a manifest
  std::vector<TextPair> examples;

  double error_rate() const;  // share of characters where source != target
};

// Reads all of a shard or a folder. If a manifest.json lists a file, its hash is checked before libhdf5
// sees it; a lone shard relies on the checksums inside. Throws InputError for damage, naming file, data set
// and chunk or hash.
Inspection inspect(const InspectOptions& options);

// One line for both sides: what differs as [source>target], the rest as it is.
std::string mark_errors(const TextPair& pair);

}  // namespace relmpi
