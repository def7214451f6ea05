#include "data/commands/shard.h"

#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/utf8.h"
#include "data/commands/bench.h"
#include "data/shards/inspect.h"
#include "data/shards/sharding.h"

namespace relmpi {
namespace {

using Json = nlohmann::ordered_json;

// JSON texts are UTF-8; a file name need not be.
void print_json(const Json& document) {
  fmt::print("{}\n", document.dump(2, ' ', false, Json::error_handler_t::replace));
}

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

Json json_of(const ShardingReport& report) {
  Json skipped, examples = Json::array(), folders = Json::object();
  for (int kind = 0; kind < kBadLineKinds; ++kind) {
    skipped[name_of(static_cast<BadLine>(kind))] = report.skipped.count(static_cast<BadLine>(kind));
  }
  for (const auto& item : report.skipped.examples()) {
    examples.push_back(
        {{"file", item.file}, {"line", item.line}, {"kind", name_of(item.kind)}, {"detail", item.detail}});
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

int run_shard(ShardCommand& command) {
  command.options.noise = read_noise_note(command.noise_note);
  const Vocabulary vocabulary = Vocabulary::load(command.vocabulary);
  const ShardingReport report = shard_pairs(command.options, vocabulary);
  if (command.json) {
    print_json(json_of(report));
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

void add_shard(CLI::App& app, std::function<int()>& body) {
  auto* sub = app.add_subcommand("shard", "Sentence pairs -> HDF5 shards with checksums");
  sub->footer(
      "Writes OUT/{train,validation,test}/shard-00000.h5 ... with a manifest.json and the vocabulary in "
      "each.\n"
      "A pair file has lines `source TAB target` of equal lengths, with or without spaces between "
      "characters.\n"
      "Lines that are no pairs are counted by kind, shown with file and line, and skipped (--strict: "
      "fatal).\n"
      "The same input gives byte-identical shards. Nothing appears unless everything went well.\n"
      "Example: relmpi-data shard --pairs pairs.tsv --vocab vocab.txt --out data --split 0.8,0.1,0.1");
  auto command = std::make_shared<ShardCommand>();
  ShardingOptions& options = command->options;
  sub->add_option("--pairs", options.pairs, "Files of lines `source TAB target`, UTF-8")->required();
  sub->add_option("--vocab", command->vocabulary, "BERT vocabulary, a token a line")->required();
  sub->add_option("--out", options.out, "Folder for the folders of shards")->required();
  sub->add_option("--shards", options.shards, "Shards in each folder, of equal numbers of sentences")
      ->capture_default_str();
  sub->add_option(
         "--split", options.split,
         "Shares of train,validation,test, e.g. 0.8,0.1,0.1. All copies of a target sentence go to the same "
         "folder, so shares are met over distinct targets. Not given: everything into --folder")
      ->delimiter(',');
  sub->add_option("--folder", options.folder, "Folder for everything where no --split is given")
      ->capture_default_str();
  sub->add_option("--max-length", options.max_length,
                  "Skip sentences of more characters (counted on one side)")
      ->capture_default_str();
  sub->add_option("--seed", options.seed, "Of the split")->capture_default_str();
  sub->add_option(
      "--noise-note", command->noise_note,
      "JSON file to keep in the shards: how the errors were made (`relmpi-data noise --json` prints one)");
  sub->add_flag("--strict", options.strict, "End with exit code 2 if any line is bad; nothing is written");
  sub->add_flag("--overwrite", options.overwrite, "Replace folders of shards that are there");
  sub->add_flag("--json", command->json, "Print one JSON document on stdout");
  sub->callback([command, &body] { body = [command] { return run_shard(*command); }; });
}

struct InspectCommand {
  InspectOptions options;
  bool json = false;
};

Json json_or_text(const std::string& text) {
  try {
    return parse_json(text, "a note of the shard");
  } catch (const InputError&) {
    return text;
  }
}

Json json_of(const Inspection& result, const InspectOptions& options) {
  const ShardHeader header = result.shards.empty() ? ShardHeader() : result.shards.front();
  Json document = {{"format_version", header.format_version},
                   {"sentences", result.sentences},
                   {"tokens", result.tokens},
                   {"vocab_xxh3", header.vocab_xxh3},
                   {"error_rate", result.error_rate()},
                   {"verified", options.verify},
                   {"hashed", result.hashed},
                   {"wrong_sentences", result.wrong_sentences},
                   {"longest", result.longest},
                   {"shards", result.shards.size()},
                   {"creator", header.creator},
                   {"sources", json_or_text(header.sources)},
                   {"selection", json_or_text(header.selection)}};
  if (!header.noise.empty()) document["noise"] = json_or_text(header.noise);
  document["exceptions"] = result.exceptions;
  if (options.show > 0) document["examples"] = Json::array();
  for (const TextPair& pair : result.examples) {
    document["examples"].push_back(
        {{"source", encode_utf8(pair.source)}, {"target", encode_utf8(pair.target)}});
  }
  return document;
}

int run_inspect(const InspectCommand& command) {
  const Inspection result = inspect(command.options);
  if (command.json) {
    print_json(json_of(result, command.options));
    return 0;
  }
  const ShardHeader header = result.shards.empty() ? ShardHeader() : result.shards.front();
  fmt::print("{}: {} shards by {}, format version {}\n", command.options.path.string(), result.shards.size(),
             header.creator, header.format_version);
  fmt::print("sentences   {} ({} with errors), longest {}\n", result.sentences, result.wrong_sentences,
             result.longest);
  fmt::print("tokens      {}, error rate {:.4f}\n", result.tokens, result.error_rate());
  fmt::print("vocabulary  XXH3-128 {}\n", header.vocab_xxh3);
  fmt::print("checked     {}{}\n",
             result.hashed ? "manifest hashes, checksums" : "checksums (no manifest lists it)",
             command.options.verify ? ", every sentence restored" : "");
  for (const TextPair& pair : result.examples) fmt::print("{}\n", mark_errors(pair));
  return 0;
}

void add_inspect(CLI::App& app, std::function<int()>& body) {
  auto* sub =
      app.add_subcommand("inspect", "What a shard or a folder of shards holds, and whether it is whole");
  sub->footer(
      "Reads all of it, so damage is found: the exit code is then 2 and the message names file, data set and "
      "chunk\n"
      "or hash. --show restores sentences, with errors marked as [wrong>right].\n"
      "Example: relmpi-data inspect data/train --verify --show 3");
  auto command = std::make_shared<InspectCommand>();
  sub->add_option("path", command->options.path, "A shard (.h5) or a folder with manifest.json")->required();
  sub->add_flag("--verify", command->options.verify,
                "Restore every sentence too (where the vocabulary is at hand)");
  sub->add_option("--show", command->options.show, "Restore the text of the first N sentence pairs")
      ->capture_default_str();
  sub->add_option("--vocab", command->options.vocabulary,
                  "Vocabulary of the shards; default: vocab.txt beside them");
  sub->add_flag("--json", command->json, "Print one JSON document on stdout");
  sub->callback([command, &body] { body = [command] { return run_inspect(*command); }; });
}

struct BenchCommand {
  std::filesystem::path data, vocabulary;
  std::vector<std::filesystem::path> pairs;
  LoaderOptions options;
  double seconds = 5;
  bool json = false;
};

int run_bench(const BenchCommand& command) {
  const Vocabulary vocabulary = Vocabulary::load(command.vocabulary);
  if (command.data.empty() && command.pairs.empty())
    throw InputError("bench: give --data DIR, --pairs FILE, or both");
  Json document = Json::object();
  if (!command.data.empty()) {
    const auto loader = bench_loader(command.data, vocabulary, command.options, command.seconds);
    document["loader"] = {{"sentences_per_s", loader.sentences_per_second()},
                          {"tokens_per_s", loader.tokens_per_second()},
                          {"padding", loader.padding()},
                          {"wait_share", loader.wait_seconds / loader.seconds},
                          {"open_seconds", loader.open_seconds},
                          {"first_step_seconds", loader.first_seconds},
                          {"global_batch", command.options.global_batch},
                          {"preload", command.options.preload}};
  }
  if (!command.pairs.empty()) {
    const auto sharding = bench_sharding(command.pairs, vocabulary);
    document["sharding"] = {{"sentences", sharding.sentences},
                            {"seconds", sharding.seconds},
                            {"sentences_per_minute", sharding.sentences_per_minute()}};
  }
  if (command.json) {
    print_json(document);
    return 0;
  }
  for (const auto& [part, numbers] : document.items()) {
    for (const auto& [name, value] : numbers.items()) fmt::print("{} {:22} {}\n", part, name, value.dump());
  }
  return 0;
}

void add_bench(CLI::App& app, std::function<int()>& body) {
  auto* sub = app.add_subcommand("bench", "How fast sharding and the loader are on this machine");
  sub->footer(
      "Example: relmpi-data bench --data data/train --vocab vocab.txt --pairs pairs.tsv\n"
      "Takes batches from the loader as one rank would, without a model. With --pairs: shards the files into "
      "a\n"
      "temporary folder (TMPDIR), in one thread.");
  auto command = std::make_shared<BenchCommand>();
  sub->add_option("--data", command->data, "Folder of shards, with manifest.json");
  sub->add_option("--vocab", command->vocabulary, "BERT vocabulary, a token a line")->required();
  sub->add_option("--pairs", command->pairs, "Files of lines `source TAB target`");
  sub->add_option("--global-batch", command->options.global_batch, "Sentences of one step")
      ->capture_default_str();
  sub->add_option("--prefetch", command->options.prefetch,
                  "Steps kept ready by the reader thread; 0 = no thread")
      ->capture_default_str();
  sub->add_option("--seconds", command->seconds, "How long to take steps")->capture_default_str();
  sub->add_flag("--preload", command->options.preload, "Keep the data set in memory");
  sub->add_flag("--json", command->json, "Print one JSON document on stdout");
  sub->callback([command, &body] { body = [command] { return run_bench(*command); }; });
}

}  // namespace

void add_shard_commands(CLI::App& app, std::function<int()>& body) {
  add_shard(app, body);
  add_inspect(app, body);
  add_bench(app, body);
}

}  // namespace relmpi
