#pragma once

#include <memory>
#include <string>

#include "data/tokenizers/split_pattern.h"

namespace relmpi {

// The pattern of GPT-2, Llama 3 or Qwen2 as code; nothing if the regular expression is none of theirs.
std::unique_ptr<SplitPattern> known_word_pattern(const std::string& regex);

}  // namespace relmpi
