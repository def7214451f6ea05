#include "data/tokenize_command.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/vocabulary.h"
#include "data/wordpiece.h"

namespace relmpi {
namespace {

using Json = nlohmann::ordered_json;

struct TokenizeCommand {
  std::filesystem::path vocabulary;
  WordpieceOptions options;
  bool decode = false;
  bool json = false;
};

std::vector<std::int32_t> ids_of(const std::string& line) {
  try {
    return Json::parse(line).get<std::vector<std::int32_t>>();
  } catch (const nlohmann::json::exception&) {
    throw InputError("not a JSON array of ids such as [101, 872, 102]");
  }
}

int run_tokenize(const TokenizeCommand& command) {
  const auto vocabulary = Vocabulary::load(command.vocabulary);
  const Wordpiece wordpiece(vocabulary, command.options);
  auto all = Json::array();
  std::string line;
  for (std::int64_t number = 1; std::getline(std::cin, line); ++number) {
    Json result;
    try {
      if (command.decode) {
        result = wordpiece.decode(ids_of(line));
      } else {
        auto tokens = wordpiece.tokenize(line);
        result = {{"ids", std::move(tokens.ids)}, {"tokens", std::move(tokens.tokens)}};
      }
    } catch (const InputError& error) {
      throw InputError("stdin:{}: {}", number, error.what());
    }
    if (command.json) {
      all.push_back(std::move(result));
    } else {
      fmt::print("{}\n", command.decode ? result.get<std::string>() : result.dump());
    }
  }
  if (command.json) fmt::print("{}\n", all.dump());
  return 0;
}

}  // namespace

void add_tokenize_command(CLI::App& app, std::function<int()>& body) {
  auto* sub = app.add_subcommand("tokenize", "Text on stdin to token ids, a line at a time");
  sub->footer(
      "Prints {\"ids\":[...],\"tokens\":[...]} for each line, without [CLS] and [SEP] around them; the same "
      "as Hugging\n"
      "Face's BertTokenizer. With --decode, lines of JSON id arrays become text.\n"
      "Example: echo 你好 | relmpi-data tokenize --vocab vocab.txt");
  auto command = std::make_shared<TokenizeCommand>();
  sub->add_option("--vocab", command->vocabulary, "BERT vocabulary, one token a line")->required();
  sub->add_flag("--lower-case", command->options.lower_case, "Lower case, accents away (uncased models)");
  sub->add_flag("--decode", command->decode, "Ids to text");
  sub->add_flag("--json", command->json, "One JSON array of all results in place of a line each");
  sub->callback([command, &body] { body = [command] { return run_tokenize(*command); }; });
}

}  // namespace relmpi
