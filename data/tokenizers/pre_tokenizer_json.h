#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fields.h"
#include "data/tokenizers/pre_tokenizer.h"

namespace relmpi {

// The parts of a tokenizer.json that are trees of steps. `source` names them in errors. All throw InputError
// for what is not built.

// Sequence, Split, Digits and ByteLevel, which must come last: bytes are the tokens' alphabet.
PreTokenizer read_pre_tokenizer(const nlohmann::json& value, const std::string& source);

// ByteLevel, or a Sequence of it.
void check_decoder(const nlohmann::json& value, const std::string& source);

// ByteLevel (which changes no ids), TemplateProcessing, or a Sequence of them; appends the ids that the
// template puts before and behind a single text.
void read_post_processor(const nlohmann::json& value, const std::string& source,
                         std::vector<std::int32_t>& first, std::vector<std::int32_t>& last);

// A setting that is understood but not built.
[[noreturn]] void refuse_setting(const JsonFields& fields, const char* name, const nlohmann::json& value,
                                 std::string_view what);

}  // namespace relmpi
