#pragma once

#include <cstdint>
#include <string>

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

}  // namespace relmpi
