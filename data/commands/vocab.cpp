#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/log.h"
#include "data/commands/commands.h"
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

int run_vocabulary(const VocabularyCommand& command, Invocation&) {
  command.options.validate();
  const auto [counts, report] = count_characters(command.text, command.strict);
  report.log();
  if (report.sentences == 0)
    throw InputError("--text: no sentence in {} lines; nothing to count", report.lines);
  const auto built = build_vocabulary(counts, command.options);
  write_file_atomic(command.out, built.bytes);
  const auto vocabulary = Vocabulary::load(command.out);
  auto document = to_json(report);
  document.update({{"size", built.size},
                   {"han", built.han},
                   {"characters", built.characters},
                   {"distinct", built.distinct},
                   {"coverage", built.coverage()},
                   {"unk_share", built.unk_share()},
                   {"xxh3", vocabulary.xxh3()},
                   {"out", command.out.string()}});
  if (command.json) {
    print_json(document, 2);
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

void add_options(CLI::App& app, VocabularyCommand& command) {
  app.footer(
      "One token a line: [PAD] [UNK] [CLS] [SEP] [MASK], then the characters that occur often enough, by "
      "falling\n"
      "count. Letters are counted in lower case.\n"
      "Example: relmpi-data vocab --text train.txt --out vocab.txt");
  app.add_option("--text", command.text, "Text files, UTF-8, one sentence a line")->required();
  app.add_option("--out", command.out, "The vocabulary to write")->required();
  app.add_option("--min-han", command.options.min_han, "Least count of a Chinese character")
      ->capture_default_str();
  app.add_option("--min-other", command.options.min_other, "Least count of any other character")
      ->capture_default_str();
  app.add_flag("--strict", command.strict,
               "Stop at the first line that is not a sentence (default: skip and count)");
  app.add_flag("--json", command.json, "Print one JSON document on stdout");
}

}  // namespace

void add_vocab(Tool& tool) {
  tool.add<VocabularyCommand>({.name = "vocab",
                               .help = "Text to a BERT vocabulary of characters (vocab.txt)",
                               .options = &add_options,
                               .run = &run_vocabulary});
}

}  // namespace relmpi
