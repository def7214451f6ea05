#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace relmpi {

struct ChatMessage {
  std::string role;  // system, user or assistant
  std::string content;
};

// A conversation as the JSON array [{"role":..,"content":..}, ...]; nothing if the text is no JSON array
// of objects (it is then plain text). Throws InputError if it is one, but its objects are no messages, and
// if it begins like one, with "[{", but breaks off.
std::optional<std::vector<ChatMessage>> parse_messages(const std::string& text);

// The families of models whose way to write a conversation is known. All are ChatML:
// "<|im_start|>ROLE\nCONTENT<|im_end|>\n" for each message. They differ in the system message that stands
// first if the conversation has none, and in what becomes of the assistant's reasoning.
enum class ChatFamily { kChatMl, kSmolLm2, kQwen2, kQwen25, kQwen3 };

// A model's chat template as code: the same text as the Jinja template in its folder gives for conversations
// without tools. Qwen3 answers without thinking (enable_thinking = false).
class ChatTemplate {
 public:
  explicit ChatTemplate(ChatFamily family) : family_(family) {}

  // The family of a model's folder (or of a file in it), by the marks of the template in
  // tokenizer_config.json or chat_template.jinja. Throws InputError if there is none or an unknown one.
  static ChatTemplate load(const std::filesystem::path& path);
  // The family of a template's source; `name` is the file's, for the error.
  static ChatTemplate from_source(const std::string& source, const std::string& name);

  ChatFamily family() const { return family_; }

  // The prompt. With `add_generation_prompt` it ends where the assistant's answer begins. Throws InputError
  // for no message at all, and for a role other than system, user and assistant.
  std::string render(const std::vector<ChatMessage>& messages, bool add_generation_prompt) const;

 private:
  ChatFamily family_;
};

}  // namespace relmpi
