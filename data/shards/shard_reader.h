#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/shards/dataset.h"
#include "data/shards/hdf5.h"
#include "data/shards/shard_format.h"
#include "data/text/vocabulary.h"

namespace relmpi {

// Reads one shard. The caller has hashed the file before, if a hash is known.
class ShardReader {
 public:
  // Throws InputError, naming file and data set, for anything that is not a shard of format version 1 whose
  // parts fit together.
  explicit ShardReader(const std::filesystem::path& path);
  ~ShardReader();

  const std::filesystem::path& path() const { return path_; }
  const ShardHeader& header() const { return header_; }

  // Length of each sentence. Checks /offsets: they begin at 0, grow by 1 to 65,535, and end at `tokens`.
  std::vector<std::uint16_t> lengths() const;
  // /offsets of the sentences [begin, end): end - begin + 1 numbers.
  std::vector<std::uint64_t> offsets(std::uint64_t begin, std::uint64_t end) const;

  // Ids of the characters [begin, begin + count) of both sides. Throws InputError that names a damaged chunk.
  void read(std::uint64_t begin, std::uint64_t count, std::uint32_t* source, std::uint32_t* target) const;
  // All of them, checked: ascending, inside the shard, code points valid.
  std::vector<ShardException> exceptions() const;

 private:
  void read_side(const hdf5::Column& column, std::uint64_t begin, std::uint64_t count,
                 std::uint32_t* out) const;

  std::filesystem::path path_;
  hdf5::Handle file_;
  hdf5::Column source_, target_, offsets_, exceptions_;
  ShardHeader header_;
};

// Restores the text of the characters [begin, end) of a shard from their ids and the shard's exceptions.
// Throws InputError if an id has no character and no exception says which it was.
TextPair restore_text(const ShardReader& shard, const std::vector<ShardException>& exceptions,
                      const Vocabulary& vocabulary, std::uint64_t begin, std::uint64_t end);

}  // namespace relmpi
