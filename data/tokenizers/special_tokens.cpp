#include "data/tokenizers/special_tokens.h"

#include <optional>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"

namespace relmpi {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kNames[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                  "pad_token", "cls_token", "mask_token"};

// A token is its text, or an object with that as "content".
std::string content_of(const Json& token, const std::string& source) {
  if (token.is_string()) return token.get<std::string>();
  if (token.is_object() && token.contains("content") && token.at("content").is_string())
    return token.at("content").get<std::string>();
  throw InputError("{}: a token was expected, a text or an object with \"content\"", source);
}

void add_named(const Json& document, const std::string& file, Json& out) {
  for (const char* name : kNames) {
    const auto found = document.find(name);
    if (found == document.end() || found->is_null() || out.contains(name)) continue;
    const std::string content = content_of(*found, fmt::format("{}: {}", file, name));
    if (!content.empty()) out[name] = content;
  }
  const auto more = document.find("additional_special_tokens");
  if (more == document.end() || more->is_null() || out.contains("additional_special_tokens")) return;
  const std::string source = file + ": additional_special_tokens";
  if (!more->is_array()) throw InputError("{}: a list was expected", source);
  Json list = Json::array();
  for (const Json& token : *more) list.push_back(content_of(token, source));
  if (!list.empty()) out["additional_special_tokens"] = std::move(list);
}

std::optional<Json> document_of(const std::filesystem::path& file) {
  if (!std::filesystem::is_regular_file(file)) return std::nullopt;
  Json document = parse_ordered_json(read_file(file), file.string());
  if (!document.is_object()) throw InputError("{}: an object was expected", file.string());
  return document;
}

}  // namespace

Json named_special_tokens(const std::filesystem::path& folder) {
  const auto config = folder / "tokenizer_config.json", map = folder / "special_tokens_map.json";
  Json out = Json::object();
  const auto document = document_of(config);
  if (document) add_named(*document, config.string(), out);
  if (document && document->contains("added_tokens_decoder")) return out;
  if (const auto other = document_of(map)) add_named(*other, map.string(), out);
  return out;
}

}  // namespace relmpi
