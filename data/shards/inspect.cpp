#include "data/shards/inspect.h"

#include <algorithm>

#include "base/error.h"
#include "base/units.h"
#include "base/utf8.h"
#include "data/shards/manifest.h"
#include "data/shards/shard_reader.h"

namespace relmpi {
namespace {

constexpr std::uint64_t kSentencesAtOnce = 1 << 14;

// Positions whose characters differ though their ids are the same: both outside the vocabulary, or differing
// in case.
std::vector<std::uint64_t> hidden_differences(const std::vector<ShardException>& exceptions) {
  std::vector<std::uint64_t> positions;
  for (std::size_t i = 0; i < exceptions.size();) {
    const bool both = i + 1 < exceptions.size() && exceptions[i + 1].position == exceptions[i].position;
    if (!both || exceptions[i].code_point != exceptions[i + 1].code_point)
      positions.push_back(exceptions[i].position);
    i += both ? 2 : 1;
  }
  return positions;
}

// Counts over the sentences of one shard; reading them verifies their checksums.
void count(const ShardReader& shard, const std::vector<ShardException>& exceptions, Inspection& result) {
  const std::uint64_t sentences = shard.header().sentences;
  const auto hidden = hidden_differences(exceptions);
  auto next_hidden = hidden.begin();
  std::vector<std::uint32_t> source, target;
  for (std::uint64_t begin = 0; begin < sentences; begin += kSentencesAtOnce) {
    const auto offsets = shard.offsets(begin, std::min(begin + kSentencesAtOnce, sentences));
    source.resize(offsets.back() - offsets.front());
    target.resize(source.size());
    shard.read(offsets.front(), source.size(), source.data(), target.data());
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
      std::int64_t wrong = 0;
      for (std::uint64_t k = offsets[i]; k < offsets[i + 1]; ++k) {
        const bool differs_hidden = next_hidden != hidden.end() && *next_hidden == k;
        if (differs_hidden) ++next_hidden;
        wrong += differs_hidden || source[k - offsets.front()] != target[k - offsets.front()];
      }
      result.wrong_characters += wrong;
      result.wrong_sentences += wrong > 0;
      result.longest = std::max(result.longest, static_cast<std::int64_t>(offsets[i + 1] - offsets[i]));
    }
  }
}

// Restores every sentence: each character must be known from its id or from /exceptions.
void check_texts(const ShardReader& shard, const std::vector<ShardException>& exceptions,
                 const Vocabulary& vocabulary) {
  const std::uint64_t sentences = shard.header().sentences;
  for (std::uint64_t begin = 0; begin < sentences; begin += kSentencesAtOnce) {
    const auto offsets = shard.offsets(begin, std::min(begin + kSentencesAtOnce, sentences));
    static_cast<void>(restore_text(shard, exceptions, vocabulary, offsets.front(), offsets.back()));
  }
}

Vocabulary vocabulary_for(const InspectOptions& options, const std::filesystem::path& folder) {
  const auto path = options.vocabulary.empty() ? folder / "vocab.txt" : options.vocabulary;
  if (!std::filesystem::exists(path)) {
    throw InputError(
        "{}: no such file; --show needs the vocabulary the data was sharded with: give it with --vocab",
        path.string());
  }
  return Vocabulary::load(path);
}

void add_shard(const std::filesystem::path& path, const InspectOptions& options, const ManifestShard* entry,
               Inspection& result) {
  const ShardReader shard(path);
  const ShardHeader& header = shard.header();
  if (entry != nullptr && (entry->sentences != header.sentences || entry->tokens != header.tokens)) {
    throw InputError(
        "{}: {} sentences and {} tokens, but manifest.json says {} and {}; the manifest is damaged",
        path.string(), header.sentences, header.tokens, entry->sentences, entry->tokens);
  }
  if (!result.shards.empty() && result.shards.front().vocab_xxh3 != header.vocab_xxh3) {
    throw InputError("{}: vocabulary {}, but the first shard has {}; do not mix shards", path.string(),
                     header.vocab_xxh3, result.shards.front().vocab_xxh3);
  }
  static_cast<void>(shard.lengths());  // checks every offset before one is used
  const auto exceptions = shard.exceptions();
  count(shard, exceptions, result);
  result.exceptions += static_cast<std::int64_t>(exceptions.size());
  result.sentences += static_cast<std::int64_t>(header.sentences);
  result.tokens += static_cast<std::int64_t>(header.tokens);
  result.shards.push_back(header);
  const auto missing = options.show - static_cast<std::int64_t>(result.examples.size());
  const bool has_vocabulary =
      !options.vocabulary.empty() || std::filesystem::exists(path.parent_path() / "vocab.txt");
  if (missing <= 0 && !(options.verify && has_vocabulary)) return;
  const Vocabulary vocabulary = vocabulary_for(options, path.parent_path());
  if (vocabulary.xxh3() != header.vocab_xxh3) {
    throw InputError(
        "{}: sharded with the vocabulary {}, but the one at hand is {}: give the right one with --vocab",
        path.string(), header.vocab_xxh3, vocabulary.xxh3());
  }
  if (options.verify) check_texts(shard, exceptions, vocabulary);
  const auto shown =
      std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(missing, 0)), header.sentences);
  const auto offsets = shard.offsets(0, shown);
  for (std::size_t i = 0; i < shown; ++i) {
    result.examples.push_back(restore_text(shard, exceptions, vocabulary, offsets[i], offsets[i + 1]));
  }
}

void check_manifest_vocabulary(const std::filesystem::path& folder, const Manifest& manifest,
                               const Inspection& result) {
  if (result.shards.empty() || result.shards.front().vocab_xxh3 == manifest.vocab_xxh3) return;
  throw InputError("{}: vocab_xxh3 is {}, but the shards say {}; the manifest is damaged",
                   (folder / Manifest::kFileName).string(), manifest.vocab_xxh3,
                   result.shards.front().vocab_xxh3);
}

}  // namespace

double Inspection::error_rate() const { return ratio(wrong_characters, tokens); }

Inspection inspect(const InspectOptions& options) {
  demand(options.show >= 0, "--show", options.show, "at least 0");
  if (!std::filesystem::exists(options.path)) {
    throw InputError("{}: no such file or folder; give a shard (.h5) or the folder of a manifest.json",
                     options.path.string());
  }
  Inspection result;
  const bool is_folder = std::filesystem::is_directory(options.path);
  auto folder = is_folder ? options.path : options.path.parent_path();
  if (folder.empty()) folder = ".";
  if (!is_folder && !std::filesystem::exists(folder / Manifest::kFileName)) {
    add_shard(options.path, options, nullptr, result);
    return result;
  }
  const Manifest manifest = Manifest::load(folder);
  for (const ManifestShard& entry : manifest.shards) {
    if (!is_folder && entry.file != options.path.filename()) continue;
    check_shard_file(folder, entry);
    result.hashed = true;
    add_shard(folder / entry.file, options, &entry, result);
  }
  if (!is_folder && !result.hashed) add_shard(options.path, options, nullptr, result);
  if (result.hashed) check_manifest_vocabulary(folder, manifest, result);
  return result;
}

std::string mark_errors(const TextPair& pair) {
  std::string line;
  for (std::size_t i = 0; i < pair.source.size();) {
    std::size_t end = i;
    while (end < pair.source.size() && pair.source[end] != pair.target[end]) ++end;
    if (end == i) {
      append_utf8(line, pair.source[i++]);
      continue;
    }
    line += '[' + encode_utf8(pair.source.substr(i, end - i)) + '>' +
            encode_utf8(pair.target.substr(i, end - i)) + ']';
    i = end;
  }
  return line;
}

}  // namespace relmpi
