#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace relmpi {

// How often each code point occurs (index: code point; size 0x110000).
using CharacterCounts = std::vector<std::int64_t>;
CharacterCounts no_counts();

// What reading text files met. Lines that are not sentences are counted by kind and skipped.
struct TextReport {
  struct Example {
    std::string file;
    std::int64_t line = 0;  // from 1
    std::string kind;
  };
  static constexpr std::size_t kMostExamples = 10;

  std::int64_t lines = 0;
  std::int64_t sentences = 0;
  std::int64_t invalid_utf8 = 0;
  std::int64_t empty = 0;
  std::vector<Example> examples;  // the first kMostExamples skipped lines

  // One warning in the log for each example, and one with the sums. Nothing if no line was skipped.
  void log() const;
};

// {"lines":n,"sentences":n,"skipped":{"invalid_utf8":n,"empty":n},"examples":[{"file","line","kind"}]}
nlohmann::json to_json(const TextReport& report);

// Calls `sentence` for each line of the files (UTF-8, one sentence a line, split at '\n' alone), without its
// white space and with its characters otherwise as they are. Reads as a stream; draws a progress bar with
// `title`. Throws InputError when a file cannot be read, and with `strict` at the first line that is no
// sentence.
TextReport read_sentences(const std::vector<std::filesystem::path>& files, const std::string& title,
                          bool strict, const std::function<void(const std::u32string&)>& sentence);

struct CountedText {
  CharacterCounts counts;
  TextReport report;
};
// Counts the characters of the files, letters in lower case; throws as read_sentences does.
CountedText count_characters(const std::vector<std::filesystem::path>& files, bool strict);

// The characters with counts[c] > 0 that `keep` holds for, by falling count, ties by code point.
std::u32string by_falling_count(const CharacterCounts& counts, const std::function<bool(char32_t)>& keep);

}  // namespace relmpi
