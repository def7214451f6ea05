#include "data/shards/dataset.h"

#include <algorithm>
#include <mutex>

#include "base/error.h"
#include "base/hash.h"
#include "data/shards/manifest.h"
#include "data/shards/shard_reader.h"

namespace relmpi {
namespace {

constexpr std::uint64_t kScanTokens = 1 << 20;

struct Part {
  std::unique_ptr<ShardReader> reader;
  std::int64_t first = 0;  // number of its first sentence in the data set
  mutable std::once_flag exceptions_read;
  mutable std::vector<ShardException> exceptions;

  std::int64_t end() const { return first + static_cast<std::int64_t>(reader->header().sentences); }
  // /offsets of the sentences [begin, end), numbered as in the data set.
  std::vector<std::uint64_t> offsets(std::int64_t begin, std::int64_t stop) const {
    return reader->offsets(static_cast<std::uint64_t>(begin - first),
                           static_cast<std::uint64_t>(stop - first));
  }
  const std::vector<ShardException>& all_exceptions() const {
    std::call_once(exceptions_read, [&] { exceptions = reader->exceptions(); });
    return exceptions;
  }
};

void check_vocabulary(const std::string& name, const std::string& xxh3, const Vocabulary& vocabulary) {
  if (xxh3 == vocabulary.xxh3()) return;
  throw InputError(
      "{}: written with the vocabulary of XXH3-128 {}, but the one given has {}: give the vocabulary that "
      "the data was sharded with (a copy lies beside the shards), or shard again",
      name, xxh3, vocabulary.xxh3());
}

// Reads every id once: all checksums are verified, and no id may lie outside the vocabulary.
void scan(const ShardReader& shard, std::uint64_t vocabulary_size, std::vector<std::int64_t>& target_counts) {
  const std::uint64_t tokens = shard.header().tokens;
  std::vector<std::uint32_t> source(std::min(tokens, kScanTokens)), target(source.size());
  for (std::uint64_t begin = 0; begin < tokens; begin += kScanTokens) {
    const std::uint64_t count = std::min(kScanTokens, tokens - begin);
    shard.read(begin, count, source.data(), target.data());
    for (const auto& [ids, name] : {std::pair(&source, "source"), std::pair(&target, "target")}) {
      const auto end = ids->begin() + static_cast<std::ptrdiff_t>(count);
      const auto bad =
          std::find_if(ids->begin(), end, [&](std::uint32_t id) { return id >= vocabulary_size; });
      if (bad == end) continue;
      throw InputError(
          "{}: /{}: id {} at position {}; the vocabulary has {} tokens: shard the pairs again with this "
          "vocabulary",
          shard.path().string(), name, *bad, begin + static_cast<std::uint64_t>(bad - ids->begin()),
          vocabulary_size);
    }
    for (std::uint64_t i = 0; i < count; ++i) ++target_counts[target[i]];
  }
}

}  // namespace

struct Dataset::Shards {
  Shards(const std::filesystem::path& folder, const Vocabulary& words) : vocabulary(words) {
    target_counts.assign(static_cast<std::size_t>(words.size()), 0);
    const Manifest manifest = Manifest::load(folder);
    check_vocabulary((folder / Manifest::kFileName).string(), manifest.vocab_xxh3, words);
    Hasher hasher;
    for (const ManifestShard& entry : manifest.shards) {
      check_shard_file(folder, entry);
      hasher.update(entry.xxh3.data(), entry.xxh3.size());
      add(folder / entry.file, entry);
    }
    fingerprint = hasher.hex();
    if (sentences == 0) throw InputError("{}: no sentences; shard some pairs into it", folder.string());
  }

  void add(const std::filesystem::path& path, const ManifestShard& entry) {
    auto part = std::make_unique<Part>();
    part->reader = std::make_unique<ShardReader>(path);
    part->first = sentences;
    const ShardHeader& header = part->reader->header();
    check_vocabulary(path.string(), header.vocab_xxh3, vocabulary);
    if (header.sentences != entry.sentences || header.tokens != entry.tokens) {
      throw InputError(
          "{}: {} sentences and {} tokens, but manifest.json says {} and {}; the manifest is damaged: shard "
          "the pairs again",
          path.string(), header.sentences, header.tokens, entry.sentences, entry.tokens);
    }
    scan(*part->reader, target_counts.size(), target_counts);
    const auto shard_lengths = part->reader->lengths();
    lengths.insert(lengths.end(), shard_lengths.begin(), shard_lengths.end());
    sentences += static_cast<std::int64_t>(header.sentences);
    tokens += static_cast<std::int64_t>(header.tokens);
    parts.push_back(std::move(part));
  }

  // The shard that holds this sentence.
  std::size_t part_of(std::int64_t sentence) const {
    const auto after =
        std::ranges::upper_bound(parts, sentence, {}, [](const auto& part) { return part->first; });
    return static_cast<std::size_t>(after - parts.begin()) - 1;
  }

  const Vocabulary vocabulary;
  std::vector<std::unique_ptr<Part>> parts;
  std::vector<std::uint16_t> lengths;
  std::vector<std::int64_t> target_counts;
  std::string fingerprint;
  std::int64_t sentences = 0;
  std::int64_t tokens = 0;
};

Dataset::Dataset(const std::filesystem::path& folder, const Vocabulary& vocabulary)
    : shards_(std::make_unique<Shards>(folder, vocabulary)) {}
Dataset::~Dataset() = default;

std::int64_t Dataset::sentences() const { return shards_->sentences; }
std::int64_t Dataset::tokens() const { return shards_->tokens; }
const std::vector<std::uint16_t>& Dataset::lengths() const { return shards_->lengths; }
const std::string& Dataset::fingerprint() const { return shards_->fingerprint; }
std::vector<std::int64_t> Dataset::target_counts() const { return shards_->target_counts; }

Sentences Dataset::read(std::int64_t begin, std::int64_t end) const {
  RELMPI_CHECK(0 <= begin && begin <= end && end <= shards_->sentences, "[{}, {}) of {}", begin, end,
               shards_->sentences);
  Sentences result;
  result.offsets.push_back(0);
  for (std::size_t p = begin < end ? shards_->part_of(begin) : shards_->parts.size(); begin < end; ++p) {
    const Part& part = *shards_->parts[p];
    const std::int64_t stop = std::min(end, part.end());
    const auto offsets = part.offsets(begin, stop);
    const std::uint64_t first = offsets.front(), count = offsets.back() - first;
    const std::size_t done = result.source.size();
    result.source.resize(done + count);
    result.target.resize(done + count);
    part.reader->read(first, count, result.source.data() + done, result.target.data() + done);
    for (std::size_t i = 1; i < offsets.size(); ++i) result.offsets.push_back(done + offsets[i] - first);
    begin = stop;
  }
  return result;
}

TextPair Dataset::text(std::int64_t sentence) const {
  RELMPI_CHECK(0 <= sentence && sentence < shards_->sentences, "{} of {}", sentence, shards_->sentences);
  const Part& part = *shards_->parts[shards_->part_of(sentence)];
  const auto offsets = part.offsets(sentence, sentence + 1);
  return restore_text(*part.reader, part.all_exceptions(), shards_->vocabulary, offsets[0], offsets[1]);
}

}  // namespace relmpi
