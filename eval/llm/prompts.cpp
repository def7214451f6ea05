#include "eval/llm/prompts.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/log.h"

namespace relmpi {
namespace {

using nlohmann::json;

std::vector<ChatMessage> conversation_of(const json& row, const std::string& source) {
  if (row.contains("prompt"))
    throw InputError("{}: both \"prompt\" and \"messages\" are given; give one of them", source);
  std::optional<std::vector<ChatMessage>> messages;
  try {
    messages = parse_messages(row.at("messages").dump());
  } catch (const InputError& error) {
    throw InputError("{}: {}", source, error.what());
  }
  if (!messages) throw InputError("{}: \"messages\" must be an array of {{\"role\", \"content\"}}", source);
  return *messages;
}

Prompt prompt_of(const json& row, const std::string& source) {
  if (!row.is_object()) throw InputError("{}: a JSON object was expected", source);
  if (row.contains("messages")) return {conversation_of(row, source), true, source};
  if (!row.contains("prompt") || !row.at("prompt").is_string())
    throw InputError("{}: an object with \"prompt\": a text, or \"messages\", was expected", source);
  return {{{"user", row.at("prompt").get<std::string>()}}, false, source};
}

}  // namespace

std::vector<Prompt> read_prompts(const std::filesystem::path& file) {
  const bool all_json = file.extension() == ".jsonl";
  std::vector<Prompt> prompts;
  std::int64_t number = 0;
  for (const std::string& line : read_lines(file)) {
    const std::string source = fmt::format("{}:{}", file.string(), ++number);
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    if (!all_json && line[line.find_first_not_of(" \t")] != '{') {
      prompts.push_back({{{"user", line}}, false, source});
      continue;
    }
    prompts.push_back(prompt_of(parse_json(line, source), source));
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
                                        const ChatTemplate* chat) {
  if (prompt.conversation && chat == nullptr)
    throw InputError("{}: a conversation (\"messages\") needs --chat", prompt.source);
  std::string text = prompt.messages[0].content;
  try {
    if (chat != nullptr) text = chat->render(prompt.messages, /*add_generation_prompt=*/true);
  } catch (const InputError& error) {
    throw InputError("{}: {}", prompt.source, error.what());
  }
  auto ids = encode_text(tokenizer, text, {.add_special_tokens = chat == nullptr}, prompt.source);
  if (ids.empty()) throw InputError("{}: the prompt is empty: it has no token", prompt.source);
  return ids;
}

}  // namespace relmpi
