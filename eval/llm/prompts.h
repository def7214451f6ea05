#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/tokenizers/bpe_tokenizer.h"
#include "data/tokenizers/chat_template.h"

namespace relmpi {

struct Prompt {
  Conversation conversation;    // a text is one message of the user
  bool needs_template = false;  // it is a conversation; else a text
  std::string source;           // file:line, for errors
};

// A prompt that is a text.
Prompt text_prompt(const std::string& text, const std::string& source);

// A prompt a line: a text; JSON {"prompt": text} or {"messages": [{"role":..,"content":..}, ...]}, both with
// "tools", "documents" and "chat_template_kwargs" if wanted; or the messages alone. In a .jsonl file every
// line is JSON, and a .json file is one list of prompts. Empty lines are left out; a byte order mark and
// '\r' at line ends belong to no prompt. Throws InputError naming file and line, for other encodings and
// unknown fields too.
std::vector<Prompt> read_prompts(const std::filesystem::path& file);

// The ids of a text. Warns of bytes without a token. Throws InputError naming the source (file:line).
std::vector<std::int32_t> encode_text(const BpeTokenizer& tokenizer, const std::string& text,
                                      const EncodeOptions& options, const std::string& source);

// The ids of a prompt: with `chat` as the model's template writes the conversation, else the text as it is.
// Warns of bytes without a token. Throws InputError if no token comes out, and for a conversation without
// `chat`.
std::vector<std::int32_t> encode_prompt(const Prompt& prompt, const BpeTokenizer& tokenizer,
                                        const ChatTemplate* chat, const ChatOptions& options = {});

}  // namespace relmpi
