#include "data/tokenizers/chat_template.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/json_fields.h"

namespace relmpi {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kSmolLm2System = "You are a helpful AI assistant named SmolLM, trained by Hugging Face";
constexpr const char* kQwen2System = "You are a helpful assistant.";
constexpr const char* kQwen25System = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";

// The system message of a conversation that has none; "" for none.
const char* default_system(ChatFamily family) {
  switch (family) {
    case ChatFamily::kSmolLm2:
      return kSmolLm2System;
    case ChatFamily::kQwen2:
      return kQwen2System;
    case ChatFamily::kQwen25:
      return kQwen25System;
    case ChatFamily::kChatMl:
    case ChatFamily::kQwen3:
      break;
  }
  return "";
}

std::string turn(const std::string& role, const std::string& content) {
  return "<|im_start|>" + role + "\n" + content + "<|im_end|>\n";
}

std::string without_newlines(std::string text, bool left, bool right) {
  if (right) text.erase(text.find_last_not_of('\n') + 1);
  if (left) text.erase(0, std::min(text.find_first_not_of('\n'), text.size()));
  return text;
}

// Qwen3's last question: reasoning before it is left out. A user's message that holds a tool's answer is
// none.
std::size_t last_question(const std::vector<ChatMessage>& messages) {
  for (std::size_t i = messages.size(); i-- > 0;) {
    const auto& [role, content] = messages[i];
    const bool tool = content.starts_with("<tool_response>") && content.ends_with("</tool_response>");
    if (role == "user" && !tool) return i;
  }
  return messages.size() - 1;
}

// What Qwen3's template makes of an answer of the assistant, "<think>...</think>answer".
std::string qwen3_answer(const std::string& text, bool after_question, bool last) {
  constexpr std::string_view kEnd = "</think>", kBegin = "<think>";
  std::string answer = text, reasoning;
  if (const auto end = text.rfind(kEnd); end != std::string::npos) {
    answer = without_newlines(text.substr(end + kEnd.size()), true, false);
    reasoning = without_newlines(text.substr(0, text.find(kEnd)), false, true);
    if (const auto begin = reasoning.rfind(kBegin); begin != std::string::npos)
      reasoning.erase(0, begin + kBegin.size());
    reasoning = without_newlines(reasoning, true, true);
  }
  if (!after_question || !(last || !reasoning.empty())) return answer;
  return "<think>\n" + reasoning + "\n</think>\n\n" + without_newlines(answer, true, false);
}

// The template's source in a tokenizer_config.json: a text, or a list of named ones.
std::optional<std::string> configured_source(const fs::path& file) {
  if (!fs::exists(file)) return std::nullopt;
  const Json document = parse_json(read_file(file), file.string());
  const JsonFields fields(document, file.string());
  const Json* source = fields.find("chat_template");
  if (source == nullptr) return std::nullopt;
  if (source->is_string()) return source->get<std::string>();
  for (std::size_t i = 0; source->is_array() && i < source->size(); ++i) {
    const JsonFields named((*source)[i], fmt::format("{}: chat_template[{}]", file.string(), i));
    if (named.text("name") == "default") return named.text("template");
  }
  throw InputError("{}: chat_template is neither a text nor a list with one named \"default\"",
                   file.string());
}

}  // namespace

std::optional<std::vector<ChatMessage>> parse_messages(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string::npos || text[first] != '[') return std::nullopt;
  if (!Json::accept(text)) {
    if (text.compare(first, 2, "[{") == 0)
      throw InputError(
          "the text begins like a conversation, [{{\"role\": .., but is not JSON: is its end missing?");
    return std::nullopt;
  }
  const Json document = parse_json(text, "messages");
  if (document.empty() || !document[0].is_object()) return std::nullopt;
  std::vector<ChatMessage> messages;
  for (std::size_t i = 0; i < document.size(); ++i) {
    const JsonFields fields(document[i], fmt::format("message {}", i + 1));
    messages.push_back({fields.text("role"), fields.text("content")});
  }
  return messages;
}

ChatTemplate ChatTemplate::from_source(const std::string& source, const std::string& name) {
  const auto has = [&](const char* mark) { return source.find(mark) != std::string::npos; };
  const auto has_system = [&](const char* text) { return has((std::string(text) + "<|im_end|>").c_str()); };
  const bool chat_ml = has("<|im_start|>") && has("<|im_end|>");
  // Later Qwen templates have these words too, but go on differently.
  const bool later = has("render_content") || has("preserve_thinking");
  if (chat_ml && !later && has("last_query_index") && has("enable_thinking is false"))
    return ChatTemplate(ChatFamily::kQwen3);
  if (chat_ml && !has("think")) {
    if (has(kSmolLm2System)) return ChatTemplate(ChatFamily::kSmolLm2);
    if (has_system(kQwen25System)) return ChatTemplate(ChatFamily::kQwen25);
    if (has_system(kQwen2System)) return ChatTemplate(ChatFamily::kQwen2);
    if (!has("system") && !has("tools") && !has("trim") && !has("strip"))
      return ChatTemplate(ChatFamily::kChatMl);
  }
  throw InputError(
      "{}: the chat template is not one that relmpi knows (ChatML, SmolLM2, Qwen2, Qwen2.5, Qwen3); write "
      "the prompts out as plain text, without --chat",
      name);
}

ChatTemplate ChatTemplate::load(const fs::path& path) {
  const fs::path folder = fs::is_directory(path) ? path : path.parent_path();
  const fs::path file = folder / "chat_template.jinja", config = folder / "tokenizer_config.json";
  if (fs::exists(file)) return from_source(read_file(file), file.string());
  if (const auto source = configured_source(config)) return from_source(*source, config.string());
  throw InputError(
      "{}: no chat template (neither chat_template.jinja nor the field \"chat_template\" in "
      "tokenizer_config.json): the model may not be one for conversations; write the prompts out as plain "
      "text, "
      "without --chat",
      folder.empty() ? "." : folder.string());
}

std::string ChatTemplate::render(const std::vector<ChatMessage>& messages, bool add_generation_prompt) const {
  if (messages.empty()) throw InputError("the conversation has no message");
  std::string prompt;
  const std::string system = default_system(family_);
  if (!system.empty() && messages[0].role != "system") prompt = turn("system", system);
  const std::size_t question = last_question(messages);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto& [role, content] = messages[i];
    if (role != "system" && role != "user" && role != "assistant")
      throw InputError("message {}: the role is '{}', but must be system, user or assistant", i + 1, role);
    const bool reasons = family_ == ChatFamily::kQwen3 && role == "assistant";
    prompt += turn(role, reasons ? qwen3_answer(content, i > question, i + 1 == messages.size()) : content);
  }
  if (!add_generation_prompt) return prompt;
  prompt += "<|im_start|>assistant\n";
  if (family_ == ChatFamily::kQwen3) prompt += "<think>\n\n</think>\n\n";
  return prompt;
}

}  // namespace relmpi
