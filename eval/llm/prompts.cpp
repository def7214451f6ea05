#include "eval/llm/prompts.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "data/text/text_lines.h"

namespace relmpi {
namespace {

using Json = nlohmann::ordered_json;

void demand_known_fields(const Json& row, const std::string& source) {
  for (const auto& [name, value] : row.items()) {
    bool known = false;
    for (const char* field : {"prompt", "messages", "tools", "documents", "chat_template_kwargs"})
      known = known || name == field;
    if (!known)
      throw InputError(
          "{}: the field \"{}\" is unknown (prompt or messages, tools, documents, chat_template_kwargs are "
          "read)",
          source, name);
  }
}

Prompt prompt_of(Json row, const std::string& source) {
  if (row.is_string()) return text_prompt(row.get<std::string>(), source);
  if (row.is_array()) return {conversation_of(row, source), true, source};
  if (!row.is_object())
    throw InputError("{}: an object with \"prompt\" or \"messages\" was expected", source);
  demand_known_fields(row, source);
  if (row.contains("messages")) {
    if (row.contains("prompt"))
      throw InputError("{}: both \"prompt\" and \"messages\" are given; give one of them", source);
    return {conversation_of(row, source), true, source};
  }
  if (!row.contains("prompt") || !row.at("prompt").is_string())
    throw InputError("{}: an object with \"prompt\": a text, or \"messages\", was expected", source);
  // What else the row has is for a template.
  const bool needs_template = row.size() > 1;
  row["messages"] = user_says(row.at("prompt").get<std::string>()).messages;
  return {conversation_of(row, source), needs_template, source};
}

std::vector<Prompt> prompts_of_document(const std::filesystem::path& file) {
  const Json document = parse_ordered_json(read_text(file), file.string());
  const bool list = document.is_array() &&
                    !(document.size() > 0 && document[0].is_object() && document[0].contains("role"));
  if (!list) return {prompt_of(document, file.string())};
  std::vector<Prompt> prompts;
  for (std::size_t i = 0; i < document.size(); ++i)
    prompts.push_back(prompt_of(document[i], fmt::format("{}: prompt {}", file.string(), i + 1)));
  return prompts;
}

Prompt prompt_of_line(const std::string& line, bool all_json, const std::string& source) {
  if (all_json || line[line.find_first_not_of(" \t")] == '{')
    return prompt_of(parse_ordered_json(line, source), source);
  if (auto conversation = parse_conversation(line, source)) return {std::move(*conversation), true, source};
  return text_prompt(line, source);
}

}  // namespace

Prompt text_prompt(const std::string& text, const std::string& source) {
  return {user_says(text), false, source};
}

std::vector<Prompt> read_prompts(const std::filesystem::path& file) {
  std::vector<Prompt> prompts;
  if (file.extension() == ".json") {
    prompts = prompts_of_document(file);
  } else {
    std::int64_t number = 0;
    for (const std::string& line : read_text_lines(file)) {
      const std::string source = fmt::format("{}:{}", file.string(), ++number);
      if (line.find_first_not_of(" \t") != std::string::npos)
        prompts.push_back(prompt_of_line(line, file.extension() == ".jsonl", source));
    }
  }
  if (prompts.empty()) throw InputError("{} has no prompt", file.string());
  return prompts;
}

std::vector<std::int32_t> encode_text(const BpeTokenizer& tokenizer, const std::string& text,
                                      const EncodeOptions& options, const std::string& source) {
  Encoding encoding;
  try {
    encoding = tokenizer.encode_fully(text, options);
  } catch (const InputError& error) {
    throw InputError("{}: {}", source, error.what());
  }
  if (!encoding.dropped.empty())
    spdlog::warn("{}: {} byte(s) have no token in this vocabulary and are lost; the first is 0x{:02x}",
                 source, encoding.dropped.size(), encoding.dropped[0].byte);
  return std::move(encoding.ids);
}

std::vector<std::int32_t> encode_prompt(const Prompt& prompt, const BpeTokenizer& tokenizer,
                                        const ChatTemplate* chat, const ChatOptions& options) {
  if (prompt.needs_template && chat == nullptr)
    throw InputError("{}: a conversation (\"messages\") needs --chat", prompt.source);
  std::string text;
  try {
    text = chat != nullptr ? chat->render(prompt.conversation, options)
                           : prompt.conversation.messages[0].at("content").get<std::string>();
  } catch (const InputError& error) {
    throw InputError("{}: {}", prompt.source, error.what());
  }
  auto ids = encode_text(tokenizer, text, {.add_special_tokens = chat == nullptr}, prompt.source);
  if (ids.empty()) throw InputError("{}: the prompt is empty: it has no token", prompt.source);
  return ids;
}

}  // namespace relmpi
