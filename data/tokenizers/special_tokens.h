#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace relmpi {

// The special tokens by name that a model's folder tells, as transformers gives them to chat templates:
// {"bos_token": text, ..., "additional_special_tokens": [texts]}; those that are null or missing are left
// out. From tokenizer_config.json, and from special_tokens_map.json where that has no added_tokens_decoder.
// An empty object without these files. Throws InputError naming file and field.
nlohmann::ordered_json named_special_tokens(const std::filesystem::path& folder);

}  // namespace relmpi
