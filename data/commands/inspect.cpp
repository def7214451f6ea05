#include "data/shards/inspect.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "data/commands/commands.h"

namespace relmpi {
namespace {

using Json = nlohmann::ordered_json;

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

Json to_json(const Inspection& result, const InspectOptions& options) {
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

int run_inspect(const InspectCommand& command, Invocation&) {
  const Inspection result = inspect(command.options);
  if (command.json) {
    print_json(to_json(result, command.options), 2);
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

void add_options(CLI::App& app, InspectCommand& command) {
  app.footer(
      "Reads all of it, so damage is found: the exit code is then 2 and the message names file, data set and "
      "chunk\n"
      "or hash. --show restores sentences, with errors marked as [wrong>right].\n"
      "Example: relmpi-data inspect data/train --verify --show 3");
  app.add_option("path", command.options.path, "A shard (.h5) or a folder with manifest.json")->required();
  app.add_flag("--verify", command.options.verify,
               "Restore every sentence too (if the vocabulary is at hand)");
  app.add_option("--show", command.options.show, "Restore the text of the first N sentence pairs")
      ->capture_default_str();
  app.add_option("--vocab", command.options.vocabulary,
                 "Vocabulary of the shards; default: vocab.txt beside them");
  app.add_flag("--json", command.json, "Print one JSON document on stdout");
}

}  // namespace

void add_inspect(Tool& tool) {
  tool.add<InspectCommand>({.name = "inspect",
                            .help = "What a shard or a folder of shards holds, and whether it is intact",
                            .options = &add_options,
                            .run = &run_inspect});
}

}  // namespace relmpi
