#include "data/shards/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"

namespace relmpi {
namespace {

constexpr std::uint64_t kManifestFormat = 1;

// The fields of one JSON object, each of which must be there and be taken; nothing else may be there.
class Fields {
 public:
  Fields(const nlohmann::json& object, std::string place) : object_(object), place_(std::move(place)) {
    if (!object.is_object()) throw InputError("{}: not a JSON object", place_);
  }

  std::string text(const char* name) {
    return field(name, &nlohmann::json::is_string, "a text").get<std::string>();
  }
  std::uint64_t number(const char* name) {
    return field(name, &nlohmann::json::is_number_unsigned, "a whole number").get<std::uint64_t>();
  }
  const nlohmann::json& array(const char* name) { return field(name, &nlohmann::json::is_array, "an array"); }

  void expect_no_more() const {
    if (object_.size() == taken_) return;
    throw InputError("{}: {} fields, expected {}; the manifest is damaged or of a newer version", place_,
                     object_.size(), taken_);
  }

 private:
  using IsKind = bool (nlohmann::json::*)() const noexcept;
  const nlohmann::json& field(const char* name, IsKind is_kind, const char* kind) {
    const auto found = object_.find(name);
    if (found == object_.end() || !((*found).*is_kind)()) {
      throw InputError("{}: \"{}\" is missing or not {}; the manifest is damaged: shard the pairs again",
                       place_, name, kind);
    }
    ++taken_;
    return *found;
  }

  const nlohmann::json& object_;
  std::string place_;
  std::size_t taken_ = 0;
};

ManifestShard parse_shard(const nlohmann::json& object, const std::string& place) {
  Fields fields(object, place);
  ManifestShard shard;
  shard.file = fields.text("file");
  shard.xxh3 = fields.text("xxh3");
  shard.bytes = fields.number("bytes");
  shard.sentences = fields.number("sentences");
  shard.tokens = fields.number("tokens");
  fields.expect_no_more();
  if (shard.file.empty() || shard.file.front() == '.' || shard.file.find('/') != std::string::npos ||
      shard.file.find('\0') != std::string::npos) {
    throw InputError("{}: \"file\" must be the name of a file in this folder", place);
  }
  return shard;
}

}  // namespace

Manifest Manifest::load(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kFileName;
  if (!std::filesystem::exists(path)) {
    throw InputError("{}: no such file; a data folder is one that relmpi-data shard wrote, such as DIR/train",
                     path.string());
  }
  const auto document = parse_json(read_file(path), path.string());
  Fields fields(document, path.string());
  const std::uint64_t format = fields.number("format_version");
  if (format != kManifestFormat) {
    throw InputError("{}: format_version is {}; this program reads version {}: shard the pairs again",
                     path.string(), format, kManifestFormat);
  }
  Manifest manifest;
  manifest.vocab_xxh3 = fields.text("vocab_xxh3");
  const std::uint64_t sentences = fields.number("sentences"), tokens = fields.number("tokens");
  std::uint64_t shard_sentences = 0, shard_tokens = 0;
  for (const auto& item : fields.array("shards")) {
    const std::string place = fmt::format("{}: shard {}", path.string(), manifest.shards.size());
    manifest.shards.push_back(parse_shard(item, place));
    shard_sentences += manifest.shards.back().sentences;
    shard_tokens += manifest.shards.back().tokens;
  }
  fields.expect_no_more();
  if (sentences != shard_sentences || tokens != shard_tokens) {
    throw InputError("{}: {} sentences and {} tokens, but its shards have {} and {}; the manifest is damaged",
                     path.string(), sentences, tokens, shard_sentences, shard_tokens);
  }
  return manifest;
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
