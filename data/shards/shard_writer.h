#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/shards/dataset.h"
#include "data/shards/hdf5.h"
#include "data/text/vocabulary.h"

namespace relmpi {

// One HDF5 file of sentence pairs (format version 1):
// - /source, /target: ids of all sentences end to end; uint16, or uint32 for a vocabulary of more than 65,536
// - /offsets: uint64 (sentences + 1); sentence i is [offsets[i], offsets[i + 1])
// - /exceptions: each character that its id does not give back, as records (position uint64, counted from the
//   shard's start; code_point uint32; side uint8: 0 source, 1 target), by position, then side
// - /meta: attributes format_version, vocab_xxh3, vocab_size, sentences, tokens, creator, and as JSON texts
//   sources (file names and XXH3-128), selection (how sentences were chosen), noise (if synthetic)
// Every data set has Fletcher32 checksums and the metadata its own; no time stamps: equal input gives equal
// bytes.
constexpr std::uint64_t kShardFormat = 1;
// Elements of a chunk: a block of 1,024 sentences touches three or four.
constexpr std::uint64_t kShardChunk = 16384;
constexpr std::uint64_t kSmallChunk = 4096;       // of offsets and exceptions, which are fewer
constexpr std::int64_t kLongestSentence = 65535;  // lengths are kept in 16 bits

struct ShardException {
  std::uint64_t position = 0;
  std::uint32_t code_point = 0;
  std::uint8_t side = 0;
};

struct ShardHeader {
  std::uint64_t format_version = kShardFormat;
  std::string vocab_xxh3;
  std::uint64_t vocab_size = 0;
  std::uint64_t sentences = 0;
  std::uint64_t tokens = 0;  // of one side
  std::string creator;
  std::string sources;    // JSON: [{"file": name, "xxh3": hash}, ...]
  std::string selection;  // JSON
  std::string noise;      // JSON; empty = not synthetic, or not known
};

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
