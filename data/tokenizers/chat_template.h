#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "data/jinja/template.h"
#include "data/tokenizers/conversation.h"

namespace relmpi {

struct ChatOptions {
  bool add_generation_prompt = true;    // the text ends where the assistant's answer begins
  bool continue_final_message = false;  // instead it ends where the last message does
  std::optional<bool> thinking;         // passed to the template as enable_thinking; else its own default
};

// A model's chat template, rendered as transformers' apply_chat_template does.
class ChatTemplate {
 public:
  // Of a model's folder (or of a file in it): `file` if it is given, else chat_template.jinja, the field
  // "chat_template" of tokenizer_config.json (a text, or a list of named ones) or chat_template.json. The
  // special tokens are those of tokenizer_config.json. Throws InputError if there is no template, or if it
  // cannot be read.
  static ChatTemplate load(const std::filesystem::path& path, const std::filesystem::path& file = {});
  // A template with these special tokens ({"bos_token": "<s>", ...}); `name` is the file's, for errors.
  static ChatTemplate from_source(const std::string& source, const std::string& name,
                                  nlohmann::ordered_json special_tokens = nlohmann::ordered_json::object());

  // The prompt. Throws InputError for what the template cannot be evaluated for and where it refuses the
  // conversation itself. Warns, once for each, of fields that the template does not read.
  std::string render(const Conversation& conversation, const ChatOptions& options = {}) const;

 private:
  struct Source {
    std::string text;
    jinja::Template parsed;
  };

  ChatTemplate() = default;
  void add(const std::string& source, const std::string& name, bool for_tools);
  const Source& chosen(const Conversation& conversation) const;

  std::optional<Source> plain_, for_tools_;
  nlohmann::ordered_json special_tokens_;
};

}  // namespace relmpi
