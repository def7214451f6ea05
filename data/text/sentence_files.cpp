#include "data/text/sentence_files.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/utf8.h"
#include "data/text/characters.h"

namespace relmpi {
namespace {

constexpr std::size_t kCodePoints = 0x110000;

// What the progress bar counts to; a pipe has no size.
std::int64_t bytes_of(const std::vector<std::filesystem::path>& files) {
  std::int64_t bytes = 0;
  for (const auto& file : files) {
    if (!std::filesystem::exists(file)) throw InputError("the text file {} does not exist", file.string());
    if (std::filesystem::is_directory(file)) {
      throw InputError("{} is a folder; give text files, one sentence a line", file.string());
    }
    if (std::filesystem::is_regular_file(file))
      bytes += static_cast<std::int64_t>(std::filesystem::file_size(file));
  }
  return bytes;
}

// Counts a line that is not a sentence.
void skip(TextReport& report, const std::filesystem::path& file, std::int64_t line, const char* kind,
          std::int64_t& count, bool strict) {
  if (strict)
    throw InputError("{}:{}: {} (--strict); fix the line or leave out --strict", file.string(), line, kind);
  ++count;
  if (report.examples.size() < TextReport::kMostExamples)
    report.examples.push_back({file.string(), line, kind});
}

}  // namespace

CharacterCounts no_counts() { return CharacterCounts(kCodePoints, 0); }

nlohmann::json to_json(const TextReport& report) {
  auto list = nlohmann::json::array();
  for (const auto& example : report.examples) {
    list.push_back({{"file", example.file}, {"line", example.line}, {"kind", example.kind}});
  }
  return {{"lines", report.lines},
          {"sentences", report.sentences},
          {"skipped", {{"invalid_utf8", report.invalid_utf8}, {"empty", report.empty}}},
          {"examples", list}};
}

void TextReport::log() const {
  for (const auto& example : examples)
    spdlog::warn("{}:{}: skipped: {}", example.file, example.line, example.kind);
  if (invalid_utf8 + empty > 0) {
    spdlog::warn("{} of {} lines skipped: {} with invalid UTF-8, {} empty", invalid_utf8 + empty, lines,
                 invalid_utf8, empty);
  }
}

TextReport read_sentences(const std::vector<std::filesystem::path>& files, const std::string& title,
                          bool strict, const std::function<void(const std::u32string&)>& sentence) {
  TextReport report;
  Progress progress(title, bytes_of(files));
  std::int64_t bytes = 0;
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw InputError("cannot open the text file {}", file.string());
    std::string line;
    for (std::int64_t number = 1; std::getline(stream, line); ++number) {
      ++report.lines;
      bytes += static_cast<std::int64_t>(line.size()) + 1;
      progress.update(bytes);
      auto text = decode_utf8(line);
      if (!text) {
        skip(report, file, number, "invalid_utf8", report.invalid_utf8, strict);
        continue;
      }
      std::erase_if(*text, is_space);
      if (text->empty()) {
        skip(report, file, number, "empty", report.empty, strict);
        continue;
      }
      ++report.sentences;
      sentence(*text);
    }
    if (stream.bad()) throw RuntimeError("reading {} failed", file.string());
  }
  return report;
}

CountedText count_characters(const std::vector<std::filesystem::path>& files, bool strict) {
  auto counts = no_counts();
  auto report = read_sentences(files, "counting characters", strict, [&](const std::u32string& text) {
    for (char32_t character : text) ++counts[to_lower(character)];
  });
  return {std::move(counts), std::move(report)};
}

std::u32string by_falling_count(const CharacterCounts& counts, const std::function<bool(char32_t)>& keep) {
  std::u32string characters;
  for (char32_t c = 0; c < counts.size(); ++c) {
    if (counts[c] > 0 && keep(c)) characters.push_back(c);
  }
  std::stable_sort(characters.begin(), characters.end(),
                   [&](char32_t a, char32_t b) { return counts[a] > counts[b]; });
  return characters;
}

}  // namespace relmpi
