#include "data/tokenizers/pre_tokenizer_json.h"

#include "base/names.h"

namespace relmpi {
namespace {

using Json = nlohmann::json;

constexpr Names<SplitBehavior, 5> kBehaviors{{{SplitBehavior::kIsolated, "Isolated"},
                                              {SplitBehavior::kRemoved, "Removed"},
                                              {SplitBehavior::kMergedWithPrevious, "MergedWithPrevious"},
                                              {SplitBehavior::kMergedWithNext, "MergedWithNext"},
                                              {SplitBehavior::kContiguous, "Contiguous"}}};

SplitBehavior read_behavior(const JsonFields& fields) {
  const std::string name = fields.text("behavior");
  const auto found = find(kBehaviors, name);
  if (!found) fields.wrong("behavior", name, listed(kBehaviors));
  return *found;
}

// {"Regex": "..."} or {"String": "..."}.
std::shared_ptr<const SplitPattern> read_pattern(const JsonFields& split) {
  const JsonFields fields(split.at("pattern"), split.source() + ".pattern");
  try {
    if (fields.find("Regex") != nullptr) return regex_pattern(fields.text("Regex"));
    if (fields.find("String") != nullptr) return literal_pattern(fields.text("String"));
  } catch (const InputError& error) {
    throw InputError("{}: {}", fields.source(), error.what());
  }
  throw InputError("{}: neither \"Regex\" nor \"String\"", fields.source());
}

SplitStep read_split(const JsonFields& fields) {
  return {read_pattern(fields), read_behavior(fields), fields.flag("invert", false)};
}

SplitStep read_digits(const JsonFields& fields) {
  const bool individual = fields.flag("individual_digits", false);
  return {digit_pattern(), individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous, false};
}

// Goes through the tree; whether ByteLevel has come.
bool add_steps(const Json& value, const std::string& source, PreTokenizer& out, bool byte_level) {
  const JsonFields fields(value, source);
  const std::string type = fields.text("type");
  if (type == "Sequence") {
    const Json& parts = fields.array("pretokenizers");
    for (std::size_t i = 0; i < parts.size(); ++i)
      byte_level = add_steps(parts[i], fmt::format("{}.pretokenizers[{}]", source, i), out, byte_level);
    return byte_level;
  }
  if (byte_level)
    throw InputError("{}: {} comes after ByteLevel, which must be the last step", source, Json(type).dump());
  if (type == "Split") {
    out.before.push_back(read_split(fields));
  } else if (type == "Digits") {
    out.before.push_back(read_digits(fields));
  } else if (type == "ByteLevel") {
    out.add_prefix_space = fields.flag("add_prefix_space", true);
    if (fields.flag("use_regex", true)) out.after.push_back({regex_pattern(kGpt2Regex), {}, false});
    return true;
  } else {
    refuse_setting(fields, "type", type, "Split, Digits, ByteLevel or a Sequence of them");
  }
  return false;
}

// One template piece: {"SpecialToken": {"id": "<s>"}} or {"Sequence": {"id": "A"}}.
void read_template(const JsonFields& fields, std::vector<std::int32_t>& first,
                   std::vector<std::int32_t>& last) {
  const Json& pieces = fields.array("single");
  const JsonFields tokens(fields.at("special_tokens"), fields.source() + ".special_tokens");
  std::vector<std::int32_t> before, behind;
  int texts = 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const JsonFields piece(pieces[i], fmt::format("{}.single[{}]", fields.source(), i));
    if (piece.find("Sequence") != nullptr) {
      ++texts;
      continue;
    }
    const std::string token = JsonFields(piece.at("SpecialToken"), piece.source()).text("id");
    const JsonFields entry(tokens.at(token.c_str()), tokens.source() + "." + token);
    for (const Json& id : entry.array("ids")) {
      if (!is_whole_number(id) || id < 0 || id > 1000000000) entry.wrong("ids", id, "token ids");
      (texts == 0 ? before : behind).push_back(id.get<std::int32_t>());
    }
  }
  if (texts != 1)
    throw InputError("{}: the template \"single\" has the text {} times, not once", fields.source(), texts);
  first.insert(first.begin(), before.begin(), before.end());
  last.insert(last.end(), behind.begin(), behind.end());
}

}  // namespace

PreTokenizer read_pre_tokenizer(const Json& value, const std::string& source) {
  PreTokenizer out;
  if (!add_steps(value, source, out, false))
    throw InputError("{}: there is no ByteLevel step; relmpi reads byte-level BPE tokenizers only", source);
  return out;
}

void check_decoder(const Json& value, const std::string& source) {
  const JsonFields fields(value, source);
  const std::string type = fields.text("type");
  if (type == "ByteLevel") return;
  const bool sequence = type == "Sequence" && fields.array("decoders").size() == 1;
  if (!sequence) refuse_setting(fields, "type", type, "the decoder must be ByteLevel");
  check_decoder(fields.array("decoders")[0], source + ".decoders[0]");
}

void read_post_processor(const Json& value, const std::string& source, std::vector<std::int32_t>& first,
                         std::vector<std::int32_t>& last) {
  const JsonFields fields(value, source);
  const std::string type = fields.text("type");
  if (type == "TemplateProcessing") {
    read_template(fields, first, last);
  } else if (type == "Sequence") {
    const Json& parts = fields.array("processors");
    for (std::size_t i = 0; i < parts.size(); ++i)
      read_post_processor(parts[i], fmt::format("{}.processors[{}]", source, i), first, last);
  } else if (type != "ByteLevel") {
    refuse_setting(fields, "type", type, "ByteLevel, TemplateProcessing or a Sequence of them");
  }
}

void refuse_setting(const JsonFields& fields, const char* name, const Json& value, std::string_view what) {
  throw InputError(
      "{}: \"{}\" is {}; relmpi reads byte-level BPE tokenizers as Llama 3, SmolLM2 and Qwen have them ({})",
      fields.source(), name, JsonFields::shown(value), what);
}

}  // namespace relmpi
