#include <iostream>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/log.h"
#include "data/commands/commands.h"
#include "data/text/text_lines.h"
#include "data/tokenizers/bpe_tokenizer.h"
#include "data/tokenizers/chat_template.h"

namespace relmpi {
namespace {

using Json = nlohmann::ordered_json;

struct ChatCommand {
  std::filesystem::path tokenizer, template_file;
  std::string thinking;
  bool no_generation_prompt = false, continue_final_message = false, json = false;
};

ChatOptions options_of(const ChatCommand& command) {
  ChatOptions options;
  options.add_generation_prompt = !command.no_generation_prompt;
  options.continue_final_message = command.continue_final_message;
  if (!command.thinking.empty()) options.thinking = command.thinking == "on";
  return options;
}

int run_chat(const ChatCommand& command, Invocation&) {
  const auto chat = ChatTemplate::load(command.tokenizer, command.template_file);
  const auto tokenizer = BpeTokenizer::load(command.tokenizer);
  const ChatOptions options = options_of(command);
  Json all = Json::array();
  std::string line;
  for (std::int64_t number = 1; std::getline(std::cin, line); ++number) {
    const std::string source = fmt::format("stdin:{}", number);
    line = checked_line(std::move(line), source, number == 1);
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    const auto conversation = parse_conversation(line, source);
    Json row;
    try {
      row["text"] = chat.render(conversation ? *conversation : user_says(line), options);
    } catch (const InputError& error) {
      throw InputError("{}: {}", source, error.what());
    }
    row["ids"] = tokenizer.encode(row["text"].get<std::string>());
    if (command.json)
      all.push_back(std::move(row));
    else
      print_json(row);
  }
  if (command.json) print_json(all);
  return 0;
}

void add_options(CLI::App& app, ChatCommand& command) {
  app.footer(
      "Prints {\"text\":..,\"ids\":[..]} for each line of stdin: what the model's own chat template makes of "
      "it, to\n"
      "the byte what transformers' apply_chat_template gives. A line is a conversation, "
      "[{\"role\":..,\"content\":..},\n"
      "..] or {\"messages\":[..],\"tools\":[..],\"documents\":[..],\"chat_template_kwargs\":{..}}; any other "
      "line is\n"
      "what a user says.\n"
      "Example: echo '[{\"role\":\"user\",\"content\":\"Hi\"}]' | relmpi-data chat --tokenizer "
      "models/Qwen3-0.6B "
      "--thinking off");
  app.add_option("--tokenizer", command.tokenizer,
                 "folder of a model, with tokenizer.json and its chat template")
      ->required();
  app.add_option("--template", command.template_file, "a Jinja file in place of the model's template");
  app.add_option("--thinking", command.thinking, "enable_thinking for the template; default: its own")
      ->check(CLI::IsMember({"on", "off"}));
  auto* no_prompt = app.add_flag("--no-generation-prompt", command.no_generation_prompt,
                                 "End behind the last message, not where an answer begins");
  app.add_flag("--continue-final-message", command.continue_final_message,
               "End where the last message's text ends, for the model to go on with it")
      ->excludes(no_prompt);
  app.add_flag("--json", command.json, "One JSON array of all results instead of a line for each");
}

}  // namespace

void add_chat(Tool& tool) {
  tool.add<ChatCommand>({.name = "chat",
                         .help = "Conversations on stdin to the text that a model sees, by its chat template",
                         .options = &add_options,
                         .run = &run_chat});
}

}  // namespace relmpi
