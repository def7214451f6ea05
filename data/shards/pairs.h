#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/names.h"
#include "data/shards/dataset.h"

namespace relmpi {

// Why a line of a pair file is not a sentence pair.
enum class BadLine {
  kUnequalLength,  // source and target differ in length; also: no TAB, one side empty, a third column with
                   // text
  kInvalidUtf8,    // not UTF-8 as RFC 3629 has it
  kEmpty,          // nothing but white space
  kTooLong,        // more than max_length characters on a side
};
inline constexpr Names<BadLine, 4> kBadLines{{{BadLine::kUnequalLength, "unequal_length"},
                                              {BadLine::kInvalidUtf8, "invalid_utf8"},
                                              {BadLine::kEmpty, "empty"},
                                              {BadLine::kTooLong, "too_long"}}};

struct BadLineExample {
  std::string file;  // as it was given
  std::int64_t line = 0;
  BadLine kind = BadLine::kEmpty;
  std::string detail;  // "22 characters against 24"
};

// Bad lines by kind, with some to look at. Nothing is dropped in silence.
class BadLines {
 public:
  static constexpr std::size_t kExamples = 10;

  void add(BadLineExample example);
  std::int64_t count(BadLine kind) const { return counts_[static_cast<std::size_t>(kind)]; }
  std::int64_t total() const;
  // At most kExamples, in the order of the input; every kind that occurs has at least one among them.
  std::vector<BadLineExample> examples() const;

 private:
  std::array<std::int64_t, kBadLines.size()> counts_{};
  std::array<std::vector<std::pair<std::int64_t, BadLineExample>>, kBadLines.size()> kept_;
};

// Splits one line `source TAB target` into its characters: one token per Unicode code point; white space (the
// Unicode property White_Space) only separates and is dropped. Returns true and fills `pair`, or fills `bad`
// (kind, detail).
bool parse_pair(std::string_view line, std::int64_t max_length, TextPair& pair, BadLineExample& bad);

// The sentence pairs of one file, streamed. Lines end with "\n" or "\r\n"; a byte order mark at the start is
// skipped.
class PairReader {
 public:
  // Throws InputError when the file cannot be read.
  PairReader(std::filesystem::path path, std::int64_t max_length);

  // The next good pair; bad lines on the way are added to `bad`. False at the end of the file.
  bool next(TextPair& pair, BadLines& bad);

  std::int64_t line() const { return line_; }         // of the last pair; at the end: lines in the file
  std::int64_t bytes() const { return bytes_; }       // read so far
  std::string xxh3() const { return hasher_.hex(); }  // XXH3-128 of what was read: of the file at its end

 private:
  bool next_line(std::string_view& line);

  std::filesystem::path path_;
  std::int64_t max_length_;
  std::ifstream file_;
  Hasher hasher_;
  std::string buffer_;
  std::size_t position_ = 0;  // of the first byte in buffer_ that was not handed out
  std::int64_t line_ = 0;
  std::int64_t bytes_ = 0;
  bool ended_ = false;
};

}  // namespace relmpi
