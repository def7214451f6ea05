#include "data/shards/sharding.h"

#include <cmath>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/atomic_folder.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/random.h"
#include "data/shards/manifest.h"
#include "data/shards/shard_writer.h"

namespace relmpi {
namespace {

constexpr std::int64_t kMostShards = 99999;

// One folder while it is written.
class FolderWriter {
 public:
  FolderWriter(const std::filesystem::path& path, std::int64_t sentences, std::int64_t shards,
               const Vocabulary& vocabulary, ShardHeader header)
      : folder_(path),
        sentences_(sentences),
        shards_(std::min(shards, sentences)),
        vocabulary_(vocabulary),
        header_(std::move(header)) {
    manifest_.vocab_xxh3 = vocabulary.xxh3();
  }

  void append(const TextPair& pair) {
    if (!shard_) {
      name_ = fmt::format("shard-{:05}.h5", manifest_.shards.size());
      shard_ = std::make_unique<ShardWriter>(folder_.temporary_path() / name_, vocabulary_, header_);
    }
    shard_->append(pair);
    const auto shard = static_cast<std::int64_t>(manifest_.shards.size());
    if (++written_ == sentences_ * (shard + 1) / shards_) finish_shard();
  }

  ShardFolderReport finish(const std::string& name) {
    RELMPI_CHECK(!shard_ && written_ == sentences_, "{} of {} sentences", written_, sentences_);
    write_file_atomic(folder_.temporary_path() / "vocab.txt", vocabulary_.bytes());
    manifest_.save(folder_.temporary_path());
    ShardFolderReport report{name, sentences_, 0, shards_};
    for (const ManifestShard& shard : manifest_.shards)
      report.tokens += static_cast<std::int64_t>(shard.tokens);
    return report;
  }

  void commit() { folder_.commit(); }

 private:
  void finish_shard() {
    shard_->finish();
    const std::filesystem::path path = folder_.temporary_path() / name_;
    manifest_.shards.push_back({name_, xxh3_128_of_file(path), std::filesystem::file_size(path),
                                shard_->sentences(), shard_->tokens()});
    shard_.reset();
  }

  AtomicFolder folder_;
  std::int64_t sentences_;
  std::int64_t shards_;
  const Vocabulary& vocabulary_;
  ShardHeader header_;
  Manifest manifest_;
  std::unique_ptr<ShardWriter> shard_;
  std::string name_;
  std::int64_t written_ = 0;
};

// What one pass over the pair files met.
struct Pass {
  std::vector<std::string> hashes;  // XXH3-128 of each file
  std::int64_t lines = 0;
  BadLines bad;
};

Pass for_each_pair(const ShardingOptions& options, const std::string& title,
                   const std::function<void(const TextPair&)>& use) {
  std::int64_t total = 0, done = 0;
  for (const auto& path : options.pairs) {
    if (std::filesystem::exists(path) && !std::filesystem::is_regular_file(path)) {
      throw InputError(
          "{} is no ordinary file; --pairs are read twice, so a pipe must be saved to a file first",
          path.string());
    }
    std::error_code ignored;
    const auto bytes = std::filesystem::file_size(path, ignored);
    if (!ignored) total += static_cast<std::int64_t>(bytes);
  }
  Progress progress(title, total);
  Pass pass;
  for (const auto& path : options.pairs) {
    PairReader reader(path, options.max_length);
    TextPair pair;
    while (reader.next(pair, pass.bad)) {
      use(pair);
      if ((reader.line() & 1023) == 0) progress.update(done + reader.bytes());
    }
    pass.lines += reader.line();
    done += reader.bytes();
    pass.hashes.push_back(reader.xxh3());
  }
  return pass;
}

void report_bad_lines(const ShardingOptions& options, const ShardingReport& report) {
  const std::int64_t total = report.skipped.total();
  if (total == 0) return;
  const auto examples = report.skipped.examples();
  for (const auto& example : examples) {
    spdlog::warn("{}:{}: {}: {}", example.file, example.line, name_of(kBadLines, example.kind),
                 example.detail);
  }
  if (options.strict) {
    const auto& first = examples.front();
    throw InputError(
        "{} of {} lines are bad, the first {}:{} ({}: {}); fix them, or leave out --strict to skip them",
        total, report.read, first.file, first.line, name_of(kBadLines, first.kind), first.detail);
  }
  spdlog::warn("{} of {} lines are not sentence pairs and were skipped", total, report.read);
}

// The folders this run is answerable for: with a split all three, so that no old one is left beside new ones.
std::vector<std::string> folder_names(const ShardingOptions& options) {
  if (options.split.empty()) return {options.folder};
  return {kSplitNames.begin(), kSplitNames.end()};
}

bool is_ours(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  return name == Manifest::kFileName || name == "vocab.txt" ||
         (name.starts_with("shard-") && name.ends_with(".h5"));
}

// Refuses to replace what is there, unless it may be replaced and holds nothing but shards.
void check_out(const ShardingOptions& options) {
  for (const std::string& name : folder_names(options)) {
    const std::filesystem::path folder = options.out / name;
    if (!std::filesystem::exists(folder)) continue;
    if (!std::filesystem::is_directory(folder)) {
      throw InputError("{} exists and is not a folder; give another --out", folder.string());
    }
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (!options.overwrite) {
        throw InputError("{} is not empty; give another --out, or --overwrite to replace its shards",
                         folder.string());
      }
      if (!is_ours(entry.path())) {
        throw InputError("{} does not belong to a folder of shards; --overwrite does not touch such a folder",
                         entry.path().string());
      }
    }
  }
}

ShardHeader make_header(const ShardingOptions& options, const std::vector<std::string>& hashes,
                        std::size_t split) {
  ShardHeader header;
  header.creator = "relmpi-data " RELMPI_VERSION;
  auto sources = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    sources.push_back({{"file", options.pairs[i].filename().string()}, {"xxh3", hashes[i]}});
  }
  header.sources = sources.dump();
  nlohmann::ordered_json selection = {{"max_length", options.max_length}};
  if (!options.split.empty()) {
    selection["split"] = options.split;
    selection["part"] = kSplitNames[split];
    selection["seed"] = options.seed;
  }
  header.selection = selection.dump();
  header.noise = options.noise;
  return header;
}

}  // namespace

void ShardingOptions::validate() const {
  if (pairs.empty()) throw InputError("--pairs: at least one file");
  demand(shards >= 1 && shards <= kMostShards, "--shards", shards, fmt::format("1 to {}", kMostShards));
  demand(max_length >= 1 && max_length <= kLongestSentence, "--max-length", max_length,
         fmt::format("1 to {} characters", kLongestSentence));
  demand(!folder.empty() && folder.front() != '.' && folder.find('/') == std::string::npos, "--folder",
         folder, "a plain name, such as validation");
  if (split.empty()) return;
  double sum = 0;
  for (const double share : split) {
    if (!(share >= 0))
      throw InputError("--split: {} is not a share; give three numbers >= 0 that add up to 1", share);
    sum += share;
  }
  if (split.size() != kSplitNames.size() || std::abs(sum - 1) > 1e-6) {
    throw InputError(
        "--split: {} numbers with sum {}; give train,validation,test that add up to 1, e.g. 0.8,0.1,0.1",
        split.size(), sum);
  }
}

std::size_t split_of(const std::u32string& target, std::uint64_t seed, const std::vector<double>& shares) {
  std::uint64_t text = target.size();
  for (const char32_t character : target) text = mix64(text ^ character);
  double point = Random(seed, "split", text).uniform();
  std::size_t last = 0;  // of the shares above 0: takes what rounding leaves
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (shares[i] <= 0) continue;
    last = i;
    if (point < shares[i]) return i;
    point -= shares[i];
  }
  return last;
}

ShardingReport shard_pairs(const ShardingOptions& options, const Vocabulary& vocabulary) {
  options.validate();
  check_out(options);
  const bool splits = !options.split.empty();
  const auto split = [&](const TextPair& pair) {
    return splits ? split_of(pair.target, options.seed, options.split) : std::size_t{0};
  };
  std::array<std::int64_t, kSplitNames.size()> counts{};
  Pass first = for_each_pair(options, "reading", [&](const TextPair& pair) { ++counts[split(pair)]; });
  ShardingReport report;
  report.read = first.lines;
  report.skipped = std::move(first.bad);
  report_bad_lines(options, report);
  report.written = report.read - report.skipped.total();
  if (report.written == 0) {
    throw InputError("{}: no sentence pair among {} lines; a line is `source TAB target` of equal lengths",
                     options.pairs.front().string(), report.read);
  }

  const auto names = folder_names(options);
  std::vector<std::unique_ptr<FolderWriter>> writers(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (counts[i] == 0) {
      if (splits && options.split[i] > 0)
        spdlog::warn("{}: no sentence fell to this share, so there is no folder", names[i]);
      continue;
    }
    writers[i] = std::make_unique<FolderWriter>(options.out / names[i], counts[i], options.shards, vocabulary,
                                                make_header(options, first.hashes, i));
  }
  std::array<std::int64_t, kSplitNames.size()> left = counts;
  const Pass second = for_each_pair(options, "writing", [&](const TextPair& pair) {
    const std::size_t i = split(pair);
    if (left[i]-- > 0) writers[i]->append(pair);
  });
  if (second.hashes != first.hashes)
    throw InputError("the pair files changed while they were read; run again");
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (writers[i]) report.folders.push_back(writers[i]->finish(names[i]));
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (writers[i]) {
      writers[i]->commit();
    } else {
      std::filesystem::remove_all(options.out / names[i]);  // of an earlier run, checked above
    }
  }
  return report;
}

}  // namespace relmpi
