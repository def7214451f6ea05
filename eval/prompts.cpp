#include "eval/prompts.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/log.h"

namespace relmpi {
namespace {

using nlohmann::json;

std::vector<ChatMessage> messages_of(const json& row, const std::string& place) {
  if (row.contains("messages")) {
    const auto messages = parse_messages(row.at("messages").dump());
    if (!messages) throw InputError("{}: \"messages\" must be an array of {{\"role\", \"content\"}}", place);
    return *messages;
  }
  if (!row.contains("prompt") || !row.at("prompt").is_string())
    throw InputError("{}: an object with \"prompt\": a text, or \"messages\", was expected", place);
  return {{"user", row.at("prompt").get<std::string>()}};
}

}  // namespace

std::vector<Prompt> read_prompts(const std::filesystem::path& file) {
  const bool all_json = file.extension() == ".jsonl";
  std::vector<Prompt> prompts;
  std::int64_t number = 0;
  for (const std::string& line : read_lines(file)) {
    const std::string place = fmt::format("{}:{}", file.string(), ++number);
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    if (!all_json && line[line.find_first_not_of(" \t")] != '{') {
      prompts.push_back({{{"user", line}}, place});
      continue;
    }
    const json row = parse_json(line, place);
    if (!row.is_object()) throw InputError("{}: a JSON object was expected", place);
    prompts.push_back({messages_of(row, place), place});
  }
  if (prompts.empty()) throw InputError("{} has no prompt", file.string());
  return prompts;
}

std::vector<std::int32_t> encode_prompt(const Prompt& prompt, const BpeTokenizer& tokenizer,
                                        const ChatTemplate* chat) {
  std::string text;
  if (chat != nullptr) {
    text = chat->render(prompt.messages, /*add_generation_prompt=*/true);
  } else {
    if (prompt.messages.size() != 1)
      throw InputError("{}: a conversation of {} messages needs --chat", prompt.place,
                       prompt.messages.size());
    text = prompt.messages[0].content;
  }
  Encoding encoding;
  try {
    encoding =
        tokenizer.encode_fully(text, {.special_tokens_in_text = true, .add_special_tokens = chat == nullptr});
  } catch (const InputError& error) {
    throw InputError("{}: {}", prompt.place, error.what());
  }
  if (!encoding.dropped.empty())
    spdlog::warn("{}: {} bytes have no token in this vocabulary and are lost, the first is 0x{:02x}",
                 prompt.place, encoding.dropped.size(), encoding.dropped[0].byte);
  if (encoding.ids.empty()) throw InputError("{}: the prompt is empty: it has no token", prompt.place);
  return std::move(encoding.ids);
}

}  // namespace relmpi
