#include "data/commands/vocab.h"

#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "data/commands/confusion.h"
#include "data/commands/noise.h"
#include "data/commands/tokenize.h"
#include "data/text/sentence_files.h"
#include "data/text/vocabulary.h"
#include "data/text/vocabulary_builder.h"

namespace relmpi {
namespace {

struct VocabularyCommand {
  std::vector<std::filesystem::path> text;
  std::filesystem::path out;
  VocabularyOptions options;
  bool strict = false;
  bool json = false;
};

int run_vocabulary(const VocabularyCommand& command) {
  command.options.validate();
  TextReport report;
  const auto counts = count_characters(command.text, command.strict, report);
  report.log();
  if (report.sentences == 0)
    throw InputError("--text: no sentence in {} lines; nothing to count", report.lines);
  const auto built = build_vocabulary(counts, command.options);
  write_file_atomic(command.out, built.bytes);
  const auto vocabulary = Vocabulary::load(command.out);
  auto document = report.json();
  document.update({{"size", built.size},
                   {"han", built.han},
                   {"characters", built.characters},
                   {"distinct", built.distinct},
                   {"coverage", built.coverage()},
                   {"unk_share", built.unk_share()},
                   {"xxh3", vocabulary.xxh3()},
                   {"out", command.out.string()}});
  if (command.json) {
    fmt::print("{}\n", document.dump(2));
  } else {
    fmt::print(
        "{}: {} tokens ({} Chinese characters) of {} different characters; {:.3f} % of {} characters "
        "covered, "
        "{:.3f} % [UNK]\n",
        command.out.string(), built.size, built.han, built.distinct, 100 * built.coverage(), built.characters,
        100 * built.unk_share());
  }
  return 0;
}

void add_vocabulary_command(CLI::App& app, std::function<int()>& body) {
  auto* sub = app.add_subcommand("vocab", "Text to a BERT vocabulary of characters (vocab.txt)");
  sub->footer(
      "One token a line: [PAD] [UNK] [CLS] [SEP] [MASK], then the characters that occur often enough, by "
      "falling\n"
      "count. Letters are counted in lower case.\n"
      "Example: relmpi-data vocab --text train.txt --out vocab.txt");
  auto command = std::make_shared<VocabularyCommand>();
  sub->add_option("--text", command->text, "Text files, UTF-8, one sentence a line")->required();
  sub->add_option("--out", command->out, "The vocabulary to write")->required();
  sub->add_option("--min-han", command->options.min_han, "Least count of a Chinese character")
      ->capture_default_str();
  sub->add_option("--min-other", command->options.min_other, "Least count of any other character")
      ->capture_default_str();
  sub->add_flag("--strict", command->strict,
                "Stop at the first line that is no sentence (default: skip and count)");
  sub->add_flag("--json", command->json, "Print one JSON document on stdout");
  sub->callback([command, &body] { body = [command] { return run_vocabulary(*command); }; });
}

}  // namespace

void add_text_commands(CLI::App& app, std::function<int()>& body) {
  add_vocabulary_command(app, body);
  add_confusion_command(app, body);
  add_noise_command(app, body);
  add_tokenize_command(app, body);
}

}  // namespace relmpi
