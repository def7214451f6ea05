#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "data/commands/commands.h"
#include "data/text/vocabulary.h"
#include "data/tokenizers/bpe_tokenizer.h"
#include "data/tokenizers/chat_template.h"
#include "data/tokenizers/wordpiece.h"

namespace relmpi {
namespace {

using Json = nlohmann::ordered_json;

struct TokenizeCommand {
  std::filesystem::path vocabulary;
  std::filesystem::path tokenizer;
  WordpieceOptions options;
  bool chat = false;
  bool add_special = false;
  bool skip_special = false;
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

// Both kinds of tokenizer, as the command sees them.
class LineTokenizer {
 public:
  virtual ~LineTokenizer() = default;
  // {"ids":[...],"tokens":[...]}; `line` is its number, for warnings.
  virtual Json encode(const std::string& text, std::int64_t line) const = 0;
  virtual std::string decode(const std::vector<std::int32_t>& ids) const = 0;
};

class WordpieceLines final : public LineTokenizer {
 public:
  explicit WordpieceLines(const TokenizeCommand& command)
      : vocabulary_(Vocabulary::load(command.vocabulary)), wordpiece_(vocabulary_, command.options) {}

  Json encode(const std::string& text, std::int64_t) const override {
    auto tokens = wordpiece_.tokenize(text);
    return {{"ids", std::move(tokens.ids)}, {"tokens", std::move(tokens.tokens)}};
  }
  std::string decode(const std::vector<std::int32_t>& ids) const override { return wordpiece_.decode(ids); }

 private:
  Vocabulary vocabulary_;
  Wordpiece wordpiece_;
};

class BpeLines final : public LineTokenizer {
 public:
  explicit BpeLines(const TokenizeCommand& command)
      : tokenizer_(BpeTokenizer::load(command.tokenizer)), skip_special_(command.skip_special) {
    encoding_.add_special_tokens = command.add_special;
    if (command.chat) chat_ = ChatTemplate::load(command.tokenizer);
  }

  Json encode(const std::string& text, std::int64_t line) const override {
    auto encoding = tokenizer_.encode_fully(chat_ ? prompt(text) : text, encoding_);
    if (!encoding.dropped.empty()) warn(encoding.dropped, line);
    return {{"ids", std::move(encoding.ids)}, {"tokens", std::move(encoding.tokens)}};
  }
  std::string decode(const std::vector<std::int32_t>& ids) const override {
    for (const std::int32_t id : ids) tokenizer_.token(id);  // refuses an id without a token
    return tokenizer_.decode(ids, skip_special_);
  }

 private:
  // A line is one message of the user, or a conversation as JSON.
  std::string prompt(const std::string& line) const {
    const auto conversation = parse_conversation(line, "conversation");
    return chat_->render(conversation ? *conversation : user_says(line));
  }

  static void warn(const std::vector<DroppedByte>& dropped, std::int64_t line) {
    std::string places;
    for (std::size_t i = 0; i < std::min<std::size_t>(dropped.size(), 10); ++i)
      places += fmt::format("{}0x{:02x} at {}", i > 0 ? ", " : "", dropped[i].byte, dropped[i].place);
    spdlog::warn("stdin:{}: {} bytes have no token and are left out, as Hugging Face does: {}{}", line,
                 dropped.size(), places, dropped.size() > 10 ? ", ..." : "");
  }

  BpeTokenizer tokenizer_;
  EncodeOptions encoding_;
  std::optional<ChatTemplate> chat_;
  bool skip_special_;
};

std::unique_ptr<LineTokenizer> open_tokenizer(const TokenizeCommand& command) {
  if (command.vocabulary.empty() == command.tokenizer.empty())
    throw InputError("give either --vocab (BERT) or --tokenizer (a large language model's tokenizer.json)");
  if (command.tokenizer.empty()) {
    if (command.chat || command.add_special || command.skip_special)
      throw InputError("--chat, --add-special and --skip-special need --tokenizer");
    return std::make_unique<WordpieceLines>(command);
  }
  if (command.options.lower_case) throw InputError("--lower-case needs --vocab");
  if (command.chat && command.decode)
    throw InputError("--chat makes prompts of texts; it cannot be combined with --decode");
  return std::make_unique<BpeLines>(command);
}

int run_tokenize(const TokenizeCommand& command, Invocation&) {
  const auto tokenizer = open_tokenizer(command);
  auto all = Json::array();
  std::string line;
  for (std::int64_t number = 1; std::getline(std::cin, line); ++number) {
    Json result;
    try {
      if (command.decode)
        result = tokenizer->decode(ids_of(line));
      else
        result = tokenizer->encode(line, number);
    } catch (const InputError& error) {
      throw InputError("stdin:{}: {}", number, error.what());
    }
    if (command.json) {
      all.push_back(std::move(result));
    } else {
      fmt::print("{}\n", command.decode ? result.get<std::string>() : result.dump());
    }
  }
  if (command.json) print_json(all);
  return 0;
}

void add_options(CLI::App& app, TokenizeCommand& command) {
  app.footer(
      "Prints {\"ids\":[...],\"tokens\":[...]} for each line. --vocab: the same as Hugging Face's "
      "BertTokenizer,\n"
      "without [CLS] and [SEP]. --tokenizer: byte-level BPE (SmolLM2, Llama 3, Qwen), the same as Hugging "
      "Face's\n"
      "`tokenizers`; special tokens such as <|im_end|> are found in the text. With --decode, lines of JSON "
      "id\n"
      "arrays become text. With --chat, each line is what the user says, or a conversation as a JSON array, "
      "and\n"
      "is put into the model's chat template (tokenizer_config.json) up to where the assistant begins.\n"
      "Tokens that the file's template puts around a text (Llama 3: <|begin_of_text|>) come only with "
      "--add-special;\n"
      "Hugging Face's `encode` adds them unless it is told add_special_tokens=False.\n"
      "Examples: echo 你好 | relmpi-data tokenize --vocab vocab.txt\n"
      "          echo 'Hello world' | relmpi-data tokenize --tokenizer models/smollm2\n"
      "          echo '[{\"role\":\"user\",\"content\":\"Hi\"}]' | relmpi-data tokenize --tokenizer "
      "models/smollm2 --chat");
  auto* vocabulary = app.add_option("--vocab", command.vocabulary, "BERT vocabulary, one token a line");
  app.add_option("--tokenizer", command.tokenizer, "tokenizer.json of a language model, or its folder")
      ->excludes(vocabulary);
  app.add_flag("--lower-case", command.options.lower_case, "Lower case, accents away (uncased BERT models)");
  app.add_flag("--chat", command.chat, "Lines are messages for the model's chat template");
  app.add_flag("--add-special", command.add_special,
               "Put the file's own tokens around the text (Llama 3: <|begin_of_text|>)");
  app.add_flag("--decode", command.decode, "Ids to text");
  app.add_flag("--skip-special", command.skip_special, "Leave special tokens out of decoded text");
  app.add_flag("--json", command.json, "One JSON array of all results instead of a line for each");
}

}  // namespace

void add_tokenize(Tool& tool) {
  tool.add<TokenizeCommand>({.name = "tokenize",
                             .help = "Text on stdin to token ids, a line at a time",
                             .options = &add_options,
                             .run = &run_tokenize});
}

}  // namespace relmpi
