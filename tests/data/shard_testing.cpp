#include "tests/data/shard_testing.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>

#include "base/files.h"
#include "base/random.h"
#include "base/utf8.h"

namespace relmpi::testing {

TemporaryFolder::TemporaryFolder() {
  static std::atomic<int> number = 0;
  path_ = std::filesystem::temp_directory_path() / fmt::format("relmpi-shards-{}-{}", ::getpid(), number++);
  std::filesystem::create_directories(path_);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Vocabulary vocabulary_of(const std::u32string& characters) {
  std::string bytes = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n##a\n";
  for (const char32_t character : characters) {
    append_utf8(bytes, character);
    bytes += '\n';
  }
  return Vocabulary::from_bytes(bytes, "test vocabulary");
}

Vocabulary small_vocabulary() {
  std::u32string characters;
  for (char32_t c = 0x4E00; c < 0x4E00 + 200; ++c) characters += c;
  for (char32_t c = U'a'; c <= U'z'; ++c) characters += c;
  return vocabulary_of(characters);
}

std::vector<TextPair> random_pairs(std::uint64_t seed, std::size_t count, std::size_t longest) {
  constexpr std::u32string_view kRare = U"Ax字😀\U00020000\U0002A6D6é";
  std::vector<TextPair> pairs(count);
  for (std::size_t i = 0; i < count; ++i) {
    Random random(seed, "test pairs", i);
    const auto character = [&]() -> char32_t {
      if (random.below(20) == 0) return kRare[random.below(kRare.size())];
      return 0x4E00 + static_cast<char32_t>(random.below(200));
    };
    const std::size_t length = 1 + random.below(longest);
    for (std::size_t k = 0; k < length; ++k) {
      pairs[i].target += character();
      pairs[i].source += random.below(10) == 0 ? character() : pairs[i].target.back();
    }
  }
  return pairs;
}

std::string lines_of(const std::vector<TextPair>& pairs) {
  std::string lines;
  for (const TextPair& pair : pairs)
    lines += encode_utf8(pair.source) + '\t' + encode_utf8(pair.target) + '\n';
  return lines;
}

std::filesystem::path shard(const TemporaryFolder& folder, const std::vector<TextPair>& pairs,
                            const Vocabulary& vocabulary, std::int64_t shards) {
  overwrite(folder / "pairs.tsv", lines_of(pairs));
  ShardingOptions options;
  options.pairs = {folder / "pairs.tsv"};
  options.out = folder.path();
  options.shards = shards;
  shard_pairs(options, vocabulary);
  return folder / "train";
}

std::filesystem::path shared_data() {
  const char* const named = std::getenv("RELMPI_SHARED_DATA");
  const std::filesystem::path folder =
      named != nullptr ? named : std::filesystem::path(RELMPI_SOURCE_FOLDER) / ".." / "shared" / "data";
  return std::filesystem::exists(folder / "ecspell") ? folder : std::filesystem::path();
}

std::vector<std::pair<std::string, std::string>> files_below(const std::filesystem::path& folder) {
  std::vector<std::pair<std::string, std::string>> files;
  if (!std::filesystem::exists(folder)) return files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    files.emplace_back(std::filesystem::relative(entry.path(), folder).string(), read_file(entry.path()));
  }
  std::ranges::sort(files);
  return files;
}

void overwrite(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
}

void spoil(const std::filesystem::path& path) {
  std::fstream(path, std::ios::binary | std::ios::in | std::ios::out)
      << std::string(std::filesystem::file_size(path), 'x');
}

}  // namespace relmpi::testing
