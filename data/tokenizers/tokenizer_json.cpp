#include "data/tokenizers/tokenizer_json.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "base/utf8.h"
#include "data/tokenizers/byte_level.h"
#include "data/tokenizers/pre_tokenizer_json.h"

namespace relmpi {
namespace {

using Json = nlohmann::json;

std::int32_t id_of(const Json& value, const std::string& source) {
  if (!is_whole_number(value) || value.get<std::int64_t>() < 0 ||
      value.get<std::int64_t>() >= std::numeric_limits<std::int32_t>::max())
    throw InputError("{}: {} is no token id (a whole number, 0 to 2^31 - 2)", source,
                     JsonFields::shown(value));
  return value.get<std::int32_t>();
}

// Puts a token at its id. Ids may leave gaps, but small ones: the tables are as long as the largest id.
void place_token(TokenizerDescription& out, std::vector<bool>& taken, const std::string& token,
                 std::int32_t id, std::size_t tokens, const std::string& source) {
  const auto at = static_cast<std::size_t>(id);
  if (at >= 2 * tokens + 65536)
    throw InputError("{}: the token {} has id {}, far above the number of tokens ({})", source,
                     Json(token).dump(), id, tokens);
  if (at >= taken.size()) {
    taken.resize(at + 1, false);
    out.tokens.resize(at + 1);
  }
  if (taken[at])
    throw InputError("{}: the tokens {} and {} have the same id {}", source, Json(out.tokens[at]).dump(),
                     Json(token).dump(), id);
  taken[at] = true;
  out.tokens[at] = token;
  out.ids.add(token, id);
}

// The two tokens of a merge, "a b" or ["a", "b"]; nothing if it is neither.
std::optional<std::pair<std::string_view, std::string_view>> parts_of(const Json& merge) {
  if (merge.is_string()) {
    const std::string_view text = merge.get_ref<const std::string&>();
    const auto space = text.find(' ');
    if (space != std::string_view::npos && text.find(' ', space + 1) == std::string_view::npos)
      return std::pair(text.substr(0, space), text.substr(space + 1));
  } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return std::pair<std::string_view, std::string_view>(merge[0].get_ref<const std::string&>(),
                                                         merge[1].get_ref<const std::string&>());
  }
  return std::nullopt;
}

BpeMerges read_merges(const JsonFields& model, const PieceTable& ids) {
  const Json& list = model.array("merges");
  BpeMerges merges(list.size());
  std::int32_t rank = 0;
  std::string joined;
  for (const Json& merge : list) {
    // The first line of a merges.txt, which some files have kept.
    if (merge.is_string() && merge.get_ref<const std::string&>().starts_with("#version")) continue;
    const auto parts = parts_of(merge);
    if (!parts)
      throw InputError("{}: merges[{}]: {} is no merge; it must be \"a b\" or [\"a\", \"b\"]", model.source(),
                       rank, JsonFields::shown(merge));
    const auto id = [&](std::string_view token) {
      const std::int32_t found = ids.find(token);
      if (found < 0)
        throw InputError("{}: merges[{}]: the token {} is not in the vocabulary", model.source(), rank,
                         Json(std::string(token)).dump());
      return found;
    };
    const std::int32_t left = id(parts->first), right = id(parts->second);
    joined.assign(parts->first).append(parts->second);
    merges.add(left, right, rank, id(joined));
    ++rank;
  }
  return merges;
}

void refuse_unbuilt(const JsonFields& model) {
  if (model.text("type", "BPE") != "BPE")
    refuse_setting(model, "type", model.at("type"), "the model must be BPE");
  if (const auto* dropout = model.find("dropout"); dropout != nullptr && *dropout != 0)
    refuse_setting(model, "dropout", *dropout, "ids must not be random; set it to null");
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!model.text(name, "").empty()) refuse_setting(model, name, model.at(name), "null or empty");
}

// What becomes of bytes without a token. If every byte has one, nothing here counts.
void read_unknown(const JsonFields& model, TokenizerDescription& out) {
  const auto lacks = [&](char32_t character) {
    std::string token;
    append_utf8(token, character);
    return out.ids.find(token) < 0;
  };
  const bool some_lack = std::ranges::any_of(byte_characters(), lacks);
  if (model.flag("byte_fallback", false) && some_lack)
    refuse_setting(model, "byte_fallback", true, "a vocabulary with a token for each byte");
  if (model.find("unk_token") == nullptr) return;
  const std::int32_t unknown = out.ids.find(model.text("unk_token"));
  if (unknown < 0 && some_lack)
    throw InputError("{}: unk_token {} is not in the vocabulary, and there are bytes without a token",
                     model.source(), JsonFields::shown(model.at("unk_token")));
  if (unknown >= 0) out.unknown = unknown;
}

void read_model(const JsonFields& model, std::size_t added, TokenizerDescription& out,
                std::vector<bool>& taken) {
  refuse_unbuilt(model);
  const Json& vocabulary = model.object("vocab");
  if (vocabulary.empty()) throw InputError("{}: the vocabulary is empty", model.source());
  const std::string source = model.source() + ": vocab";
  out.ids = PieceTable(vocabulary.size() + added);
  out.tokens.reserve(vocabulary.size() + added);
  for (const auto& [token, value] : vocabulary.items())
    place_token(out, taken, token, id_of(value, source), vocabulary.size() + added, source);
  out.model_tokens = static_cast<std::int32_t>(vocabulary.size());
  out.of_model = taken;
  out.merges = read_merges(model, out.ids);
  out.ignore_merges = model.flag("ignore_merges", false);
  out.fuse_unknown = model.flag("fuse_unk", false);
  read_unknown(model, out);
}

// Hugging Face's library numbers added tokens itself: as in the vocabulary, else behind everything so far. A
// file that says otherwise would mean other ids there than here.
void read_added(const Json& list, const std::string& source, TokenizerDescription& out,
                std::vector<bool>& taken) {
  if (!list.is_array()) throw InputError("{}: an array was expected", source);
  std::unordered_map<std::string, AddedToken> seen;
  std::int32_t next = out.model_tokens;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const JsonFields fields(list[i], fmt::format("{}[{}]", source, i));
    AddedToken token;
    token.content = fields.text("content");
    token.id = id_of(fields.at("id"), fields.source());
    token.special = fields.flag("special", false);
    token.single_word = fields.flag("single_word", false);
    token.lstrip = fields.flag("lstrip", false);
    token.rstrip = fields.flag("rstrip", false);
    token.normalized = fields.flag("normalized", !token.special);
    if (token.content.empty()) throw InputError("{}: the content is empty", fields.source());
    const auto [first, fresh] = seen.try_emplace(token.content, token);
    if (!fresh && first->second == token) continue;
    if (!fresh)
      throw InputError("{}: the token {} appears twice, with different settings; keep one of them",
                       fields.source(), Json(token.content).dump());
    const std::int32_t of_model = out.ids.find(token.content);
    const std::int32_t expected = of_model < 0 ? next : of_model;
    if (token.id != expected)
      throw InputError(
          "{}: the token {} has id {}, but Hugging Face's tokenizers gives it {}; write the file with them "
          "again",
          fields.source(), Json(token.content).dump(), token.id, expected);
    if (of_model < 0)
      place_token(out, taken, token.content, token.id,
                  list.size() + static_cast<std::size_t>(out.model_tokens), fields.source());
    next = std::max(next, token.id + 1);
    out.added.push_back(std::move(token));
  }
}

bool reads_nfc(const Json* normalizer, const std::string& source) {
  if (normalizer == nullptr) return false;
  const JsonFields fields(*normalizer, source);
  const std::string type = fields.text("type");
  if (type == "NFC") return true;
  if (type != "Sequence") refuse_setting(fields, "type", fields.at("type"), "null, NFC or a Sequence of it");
  bool nfc = false;
  const Json& parts = fields.array("normalizers");
  for (std::size_t i = 0; i < parts.size(); ++i)
    nfc = reads_nfc(&parts[i], fmt::format("{}.normalizers[{}]", source, i)) || nfc;
  return nfc;
}

}  // namespace

TokenizerDescription read_tokenizer_json(std::string_view bytes, const std::string& name) {
  const Json document = parse_json(bytes, name);
  const JsonFields file(document, name);
  TokenizerDescription out;
  const Json none = Json::array();
  const Json& added = file.find("added_tokens") == nullptr ? none : file.at("added_tokens");
  std::vector<bool> taken;
  read_model(JsonFields(file.at("model"), name + ": model"), added.size(), out, taken);
  read_added(added, name + ": added_tokens", out, taken);
  out.nfc = reads_nfc(file.find("normalizer"), name + ": normalizer");
  out.pre_tokenizer = read_pre_tokenizer(file.at("pre_tokenizer"), name + ": pre_tokenizer");
  check_decoder(file.at("decoder"), name + ": decoder");
  if (file.find("post_processor") != nullptr)
    read_post_processor(file.at("post_processor"), name + ": post_processor", out.first_ids, out.last_ids);
  for (const auto* ids : {&out.first_ids, &out.last_ids})
    for (const std::int32_t id : *ids)
      if (static_cast<std::size_t>(id) >= out.tokens.size() ||
          out.tokens[static_cast<std::size_t>(id)].empty())
        throw InputError("{}: post_processor: no token has the id {}", name, id);
  return out;
}

}  // namespace relmpi
