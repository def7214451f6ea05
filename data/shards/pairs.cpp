#include "data/shards/pairs.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "data/text/characters.h"

namespace relmpi {
namespace {

constexpr std::size_t kPieceBytes = 1 << 20;

// The characters of a column without its white space. False for invalid UTF-8.
bool characters_of(std::string_view column, std::u32string& out) {
  auto decoded = decode_utf8(column);
  if (!decoded) return false;
  std::erase_if(*decoded, is_space);
  out = std::move(*decoded);
  return true;
}

}  // namespace

void BadLines::add(BadLineExample example) {
  const std::int64_t number = total();
  const auto kind = static_cast<std::size_t>(example.kind);
  ++counts_[kind];
  if (kept_[kind].size() < kExamples) kept_[kind].emplace_back(number, std::move(example));
}

std::int64_t BadLines::total() const {
  std::int64_t sum = 0;
  for (const std::int64_t count : counts_) sum += count;
  return sum;
}

std::vector<BadLineExample> BadLines::examples() const {
  std::vector<std::pair<std::int64_t, BadLineExample>> chosen;
  for (std::size_t i = 0; i < kExamples; ++i) {
    for (const auto& kept : kept_) {
      if (i < kept.size() && chosen.size() < kExamples) chosen.push_back(kept[i]);
    }
  }
  std::ranges::sort(chosen, {}, [](const auto& item) { return item.first; });
  std::vector<BadLineExample> result;
  result.reserve(chosen.size());
  for (auto& item : chosen) result.push_back(std::move(item.second));
  return result;
}

bool parse_pair(std::string_view line, std::int64_t max_length, TextPair& pair, BadLineExample& bad) {
  const std::size_t tab = line.find('\t');
  const bool has_tab = tab != std::string_view::npos;
  const std::string_view rest = has_tab ? line.substr(tab + 1) : std::string_view();
  const std::size_t second_tab = rest.find('\t');
  std::u32string third;
  if (!characters_of(line.substr(0, tab), pair.source) ||
      !characters_of(rest.substr(0, second_tab), pair.target) ||
      (second_tab != std::string_view::npos && !characters_of(rest.substr(second_tab), third))) {
    bad.kind = BadLine::kInvalidUtf8;
    bad.detail = "not valid UTF-8";
    return false;
  }
  const auto sources = static_cast<std::int64_t>(pair.source.size());
  const auto targets = static_cast<std::int64_t>(pair.target.size());
  if (sources == 0 && targets == 0 && third.empty()) {
    bad.kind = BadLine::kEmpty;
    bad.detail = "nothing but white space";
    return false;
  }
  if (sources != targets || !third.empty()) {
    bad.kind = BadLine::kUnequalLength;
    bad.detail = !has_tab        ? "no TAB between source and target"
                 : third.empty() ? fmt::format("{} characters against {}", sources, targets)
                                 : "more than two columns";
    return false;
  }
  if (sources > max_length) {
    bad.kind = BadLine::kTooLong;
    bad.detail = fmt::format("{} characters, at most {} wanted", sources, max_length);
    return false;
  }
  return true;
}

PairReader::PairReader(std::filesystem::path path, std::int64_t max_length)
    : path_(std::move(path)), max_length_(max_length), file_(path_, std::ios::binary) {
  if (std::filesystem::is_directory(path_)) {
    throw InputError("{} is a folder; --pairs takes files of lines `source TAB target`", path_.string());
  }
  if (!file_) throw InputError("cannot open {}: does the file exist, and may you read it?", path_.string());
}

// The view is valid until the next call.
bool PairReader::next_line(std::string_view& line) {
  std::size_t searched = position_;
  while (true) {
    const std::size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos || (ended_ && position_ < buffer_.size())) {
      const std::size_t stop = std::min(end, buffer_.size());
      line = std::string_view(buffer_).substr(position_, stop - position_);
      position_ = std::min(stop + 1, buffer_.size());
      return true;
    }
    if (ended_) return false;
    buffer_.erase(0, position_);
    position_ = 0;
    searched = buffer_.size();
    buffer_.resize(searched + kPieceBytes);
    file_.read(buffer_.data() + searched, kPieceBytes);
    const auto count = static_cast<std::size_t>(file_.gcount());
    if (file_.bad()) throw RuntimeError("reading {} failed", path_.string());
    hasher_.update(buffer_.data() + searched, count);
    buffer_.resize(searched + count);
    bytes_ += static_cast<std::int64_t>(count);
    ended_ = count < kPieceBytes;
  }
}

bool PairReader::next(TextPair& pair, BadLines& bad) {
  std::string_view line;
  while (next_line(line)) {
    ++line_;
    if (line_ == 1 && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
    BadLineExample example;
    if (parse_pair(line, max_length_, pair, example)) return true;
    example.file = path_.string();
    example.line = line_;
    bad.add(std::move(example));
  }
  return false;
}

}  // namespace relmpi
