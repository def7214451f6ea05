#include "data/shards/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/json_fields.h"

namespace relmpi {
namespace {

constexpr std::int64_t kManifestFormat = 1;

ManifestShard parse_shard(const nlohmann::json& object, const std::string& source) {
  const JsonFields fields(object, source);
  fields.demand_only({"file", "xxh3", "bytes", "sentences", "tokens"});
  ManifestShard shard;
  shard.file = fields.text("file");
  shard.xxh3 = fields.text("xxh3");
  shard.bytes = static_cast<std::uint64_t>(fields.count("bytes"));
  shard.sentences = static_cast<std::uint64_t>(fields.count("sentences"));
  shard.tokens = static_cast<std::uint64_t>(fields.count("tokens"));
  if (shard.file.empty() || shard.file.front() == '.' || shard.file.find('/') != std::string::npos ||
      shard.file.find('\0') != std::string::npos) {
    throw InputError("{}: \"file\" must be the name of a file in this folder", source);
  }
  return shard;
}

Manifest parse_manifest(const nlohmann::json& document, const std::string& name) {
  const JsonFields fields(document, name);
  const std::int64_t format = fields.count("format_version");
  if (format != kManifestFormat)
    fields.wrong("format_version", format, fmt::format("{}: this program reads no other", kManifestFormat));
  fields.demand_only({"format_version", "vocab_xxh3", "sentences", "tokens", "shards"});
  Manifest manifest{.vocab_xxh3 = fields.text("vocab_xxh3")};
  const auto sentences = static_cast<std::uint64_t>(fields.count("sentences"));
  const auto tokens = static_cast<std::uint64_t>(fields.count("tokens"));
  std::uint64_t shard_sentences = 0, shard_tokens = 0;
  for (const auto& item : fields.array("shards")) {
    const auto& shard = manifest.shards.emplace_back(
        parse_shard(item, fmt::format("{}: shard {}", name, manifest.shards.size())));
    shard_sentences += shard.sentences;
    shard_tokens += shard.tokens;
  }
  if (sentences != shard_sentences || tokens != shard_tokens) {
    throw InputError("{}: {} sentences and {} tokens, but its shards have {} and {}", name, sentences, tokens,
                     shard_sentences, shard_tokens);
  }
  return manifest;
}

}  // namespace

Manifest Manifest::load(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kFileName;
  if (!std::filesystem::exists(path)) {
    throw InputError("{}: no such file; a data folder is one that relmpi-data shard wrote, such as DIR/train",
                     path.string());
  }
  const std::string text = read_file(path);
  try {
    return parse_manifest(parse_json(text, path.string()), path.string());
  } catch (const InputError& error) {
    throw InputError("{}; the manifest is damaged or of a newer version: shard the pairs again",
                     error.what());
  }
}

void Manifest::save(const std::filesystem::path& folder) const {
  nlohmann::ordered_json document = {{"format_version", kManifestFormat}, {"vocab_xxh3", vocab_xxh3}};
  std::uint64_t sentences = 0, tokens = 0;
  auto list = nlohmann::ordered_json::array();
  for (const ManifestShard& shard : shards) {
    sentences += shard.sentences;
    tokens += shard.tokens;
    list.push_back({{"file", shard.file},
                    {"xxh3", shard.xxh3},
                    {"bytes", shard.bytes},
                    {"sentences", shard.sentences},
                    {"tokens", shard.tokens}});
  }
  document["sentences"] = sentences;
  document["tokens"] = tokens;
  document["shards"] = std::move(list);
  write_file_atomic(folder / kFileName, document.dump(2) + "\n");
}

void check_shard_file(const std::filesystem::path& folder, const ManifestShard& shard) {
  const std::filesystem::path path = folder / shard.file;
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  if (error) {
    throw InputError("{}: {}, but manifest.json lists it; restore it or shard the pairs again", path.string(),
                     error.message());
  }
  if (bytes != shard.bytes) {
    throw InputError(
        "{}: {} bytes, but manifest.json says {}; the file is damaged (cut short?): restore it or shard the "
        "pairs again",
        path.string(), bytes, shard.bytes);
  }
  const std::string xxh3 = xxh3_128_of_file(path);
  if (xxh3 != shard.xxh3) {
    throw InputError(
        "{}: its XXH3-128 is {}, but manifest.json says {}; the file is damaged: restore it or shard the "
        "pairs again",
        path.string(), xxh3, shard.xxh3);
  }
}

}  // namespace relmpi
