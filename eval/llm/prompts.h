#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/tokenizers/bpe_tokenizer.h"
#include "data/tokenizers/chat_template.h"

namespace relmpi {

struct Prompt {
  std::vector<ChatMessage> messages;
  bool conversation = false;  // the line is a conversation; else a text, which is one message of the user
  std::string source;         // file:line, for errors
};

// A prompt a line: a text; JSON {"prompt": text}; or JSON {"messages": [{"role":..,"content":..}, ...]}. In a
// .jsonl file every line is JSON. Empty lines are left out. Throws InputError naming file and line.
std::vector<Prompt> read_prompts(const std::filesystem::path& file);

// The ids of a text. Warns of bytes without a token. Throws InputError naming the source (file:line).
std::vector<std::int32_t> encode_text(const BpeTokenizer& tokenizer, const std::string& text,
                                      const EncodeOptions& options, const std::string& source);

// The ids of a prompt: with `chat` as the model's template writes the conversation, else the text as it is.
// Warns of bytes without a token. Throws InputError if no token comes out, and for a conversation without
// `chat`.
std::vector<std::int32_t> encode_prompt(const Prompt& prompt, const BpeTokenizer& tokenizer,
                                        const ChatTemplate* chat);

}  // namespace relmpi
