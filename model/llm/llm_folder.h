#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/tokenizers/bpe_tokenizer.h"
#include "model/llm/config.h"

namespace relmpi {

// What a decoder LLM's Hugging Face folder says without its weights: enough to write prompts and to plan.
struct LlmFolder {
  std::filesystem::path path;
  LlmConfig config;
  BpeTokenizer tokenizer;
  std::vector<std::int64_t> end_tokens;
};

// Reads config.json, generation_config.json and the tokenizer, no weights. Throws InputError: what
// demand_model_folder, load_llm_config, BpeTokenizer::load and end_tokens say.
LlmFolder open_llm_folder(const std::filesystem::path& path);

}  // namespace relmpi
