#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "data/commands/commands.h"
#include "data/shards/sharding.h"

namespace relmpi {
namespace {

using Json = nlohmann::ordered_json;

struct ShardCommand {
  ShardingOptions options;
  std::filesystem::path vocabulary;
  std::filesystem::path noise_note;
  bool json = false;
};

// The note as one line of JSON, so that equal notes give equal shards.
std::string read_noise_note(const std::filesystem::path& path) {
  if (path.empty()) return "";
  try {
    return parse_json(read_file(path), path.string()).dump();
  } catch (const InputError& error) {
    throw InputError("--noise-note {}; give what `relmpi-data noise --json` printed", error.what());
  }
}

Json to_json(const ShardingReport& report) {
  Json skipped, examples = Json::array(), folders = Json::object();
  for (const auto& [kind, name] : kBadLines) skipped[name] = report.skipped.count(kind);
  for (const auto& item : report.skipped.examples()) {
    examples.push_back({{"file", item.file},
                        {"line", item.line},
                        {"kind", name_of(kBadLines, item.kind)},
                        {"detail", item.detail}});
  }
  for (const auto& folder : report.folders) {
    folders[folder.name] = {
        {"sentences", folder.sentences}, {"tokens", folder.tokens}, {"shards", folder.shards}};
  }
  return {{"read", report.read},
          {"written", report.written},
          {"skipped", skipped},
          {"examples", examples},
          {"folders", folders}};
}

int run_shard(const ShardCommand& command, Invocation&) {
  ShardingOptions options = command.options;
  options.noise = read_noise_note(command.noise_note);
  const Vocabulary vocabulary = Vocabulary::load(command.vocabulary);
  const ShardingReport report = shard_pairs(options, vocabulary);
  if (command.json) {
    print_json(to_json(report), 2);
    return 0;
  }
  fmt::print("{} lines read, {} sentences written, {} lines skipped\n", report.read, report.written,
             report.skipped.total());
  for (const auto& folder : report.folders) {
    fmt::print("{}: {} sentences, {} tokens, {} shards\n", (command.options.out / folder.name).string(),
               folder.sentences, folder.tokens, folder.shards);
  }
  return 0;
}

void add_options(CLI::App& app, ShardCommand& command) {
  app.footer(
      "Writes OUT/{train,validation,test}/shard-00000.h5 ... with a manifest.json and the vocabulary in "
      "each.\n"
      "A pair file has lines `source TAB target` of equal lengths, with or without spaces between "
      "characters.\n"
      "Lines that are not pairs are counted by kind, shown with file and line, and skipped (--strict: "
      "fatal).\n"
      "The same input gives byte-identical shards. Nothing appears unless everything went well.\n"
      "Example: relmpi-data shard --pairs pairs.tsv --vocab vocab.txt --out data --split 0.8,0.1,0.1");
  ShardingOptions& options = command.options;
  app.add_option("--pairs", options.pairs, "Files of lines `source TAB target`, UTF-8")->required();
  app.add_option("--vocab", command.vocabulary, "BERT vocabulary, a token a line")->required();
  app.add_option("--out", options.out, "Folder for the folders of shards")->required();
  app.add_option("--shards", options.shards, "Shards in each folder, of equal numbers of sentences")
      ->capture_default_str();
  app.add_option(
         "--split", options.split,
         "Shares of train,validation,test, e.g. 0.8,0.1,0.1. All copies of a target sentence go to the same "
         "folder, so shares are met over distinct targets. If not given, everything goes into --folder")
      ->delimiter(',');
  app.add_option("--folder", options.folder, "Folder for everything if --split is not given")
      ->capture_default_str();
  app.add_option("--max-length", options.max_length,
                 "Skip sentences with more characters (counted on one side)")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Of the split")->capture_default_str();
  app.add_option(
      "--noise-note", command.noise_note,
      "JSON file to keep in the shards: how the errors were made (`relmpi-data noise --json` prints one)");
  app.add_flag("--strict", options.strict, "End with exit code 2 if any line is bad; nothing is written");
  app.add_flag("--overwrite", options.overwrite, "Replace existing folders of shards");
  app.add_flag("--json", command.json, "Print one JSON document on stdout");
}

}  // namespace

void add_shard(Tool& tool) {
  tool.add<ShardCommand>({.name = "shard",
                          .help = "Sentence pairs -> HDF5 shards with checksums",
                          .options = &add_options,
                          .run = &run_shard});
}

}  // namespace relmpi
