#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/shards/dataset.h"
#include "data/shards/hdf5.h"
#include "data/shards/shard_format.h"
#include "data/text/vocabulary.h"

namespace relmpi {

// Writes one shard as a stream; memory does not grow with the shard.
class ShardWriter {
 public:
  // Of `header` the texts are taken; counts and vocabulary are filled in here. The file is created at once:
  // give a temporary place. Throws RuntimeError if writing fails.
  ShardWriter(const std::filesystem::path& path, const Vocabulary& vocabulary, ShardHeader header);
  ~ShardWriter();

  // Source and target of equal length, at least one character.
  void append(const TextPair& pair);
  // Writes the rest and the header, closes the file and makes it durable. Without it the file is of no use.
  void finish();

  std::uint64_t sentences() const { return header_.sentences; }
  std::uint64_t tokens() const { return header_.tokens; }

 private:
  void encode(const std::u32string& text, std::uint8_t side, std::vector<std::uint32_t>& ids);
  void flush(bool all);

  std::filesystem::path path_;
  const Vocabulary& vocabulary_;
  ShardHeader header_;
  hdf5::Handle file_;
  hdf5::Column source_column_, target_column_, offsets_column_, exceptions_column_;
  std::vector<std::uint32_t> source_, target_;
  std::vector<std::uint64_t> offsets_;
  std::vector<ShardException> exceptions_;
};

}  // namespace relmpi
