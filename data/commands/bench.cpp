#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "data/commands/commands.h"
#include "data/loader/loader.h"
#include "data/shards/shard_format.h"
#include "data/shards/sharding.h"

namespace relmpi {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct LoaderBench {
  std::int64_t sentences = 0;
  std::int64_t tokens = 0;   // of one side, without padding
  std::int64_t padded = 0;   // cells of the source arrays
  double open_seconds = 0;   // verifying the data set
  double first_seconds = 0;  // from making the loader to the first step
  double seconds = 0;        // of all later steps
  double wait_seconds = 0;   // of those, waiting for the reader thread

  double sentences_per_second() const { return static_cast<double>(sentences) / seconds; }
  double tokens_per_second() const { return static_cast<double>(tokens) / seconds; }
  double padding() const { return 1 - static_cast<double>(tokens) / static_cast<double>(padded); }
};

struct ShardingBench {
  std::int64_t sentences = 0;
  double seconds = 0;
  double sentences_per_minute() const { return static_cast<double>(sentences) * 60 / seconds; }
};

// Takes steps from a loader for so long and touches every id.
LoaderBench bench_loader(const std::filesystem::path& folder, const Vocabulary& vocabulary,
                         const LoaderOptions& options, double seconds) {
  demand(seconds > 0, "--seconds", seconds, "more than 0");
  LoaderBench result;
  auto start = Clock::now();
  const auto dataset = std::make_shared<const Dataset>(folder, vocabulary);
  result.open_seconds = since(start);
  start = Clock::now();
  Loader loader(dataset, options);
  loader.next();
  result.first_seconds = since(start);
  const double waited = loader.seconds_waited();
  start = Clock::now();
  std::int64_t wrong = 0;
  do {
    const StepBatches step = loader.next();
    for (const Batch& batch : step.micro_batches) {
      result.sentences += batch.rows;
      result.padded += batch.rows * batch.width;
      for (std::int64_t i = 0; i < batch.rows; ++i) result.tokens += batch.lengths[i];
      for (std::int64_t i = 0; i < batch.rows * batch.width; ++i) wrong += batch.source[i] != batch.target[i];
    }
    result.seconds = since(start);
  } while (result.seconds < seconds);
  RELMPI_CHECK(wrong <= result.tokens, "{} of {}", wrong, result.tokens);
  result.wait_seconds = loader.seconds_waited() - waited;
  return result;
}

// Shards the pairs into a temporary folder, which is removed.
ShardingBench bench_sharding(const std::vector<std::filesystem::path>& pairs, const Vocabulary& vocabulary) {
  ShardingOptions options;
  options.pairs = pairs;
  options.out = std::filesystem::temp_directory_path() / fmt::format("relmpi-bench-{}", ::getpid());
  options.max_length = kLongestSentence;
  const auto start = Clock::now();
  const ShardingReport report = shard_pairs(options, vocabulary);
  const ShardingBench result{report.written, since(start)};
  std::filesystem::remove_all(options.out);
  return result;
}

struct BenchCommand {
  std::filesystem::path data, vocabulary;
  std::vector<std::filesystem::path> pairs;
  LoaderOptions options;
  double seconds = 5;
  bool json = false;
};

int run_bench(const BenchCommand& command, Invocation&) {
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
    print_json(document, 2);
    return 0;
  }
  for (const auto& [part, numbers] : document.items()) {
    for (const auto& [name, value] : numbers.items()) fmt::print("{} {:22} {}\n", part, name, value.dump());
  }
  return 0;
}

void add_options(CLI::App& app, BenchCommand& command) {
  app.footer(
      "Example: relmpi-data bench --data data/train --vocab vocab.txt --pairs pairs.tsv\n"
      "Takes batches from the loader as one rank would, without a model. With --pairs: shards the files into "
      "a\n"
      "temporary folder (TMPDIR), in one thread.");
  app.add_option("--data", command.data, "Folder of shards, with manifest.json");
  app.add_option("--vocab", command.vocabulary, "BERT vocabulary, a token a line")->required();
  app.add_option("--pairs", command.pairs, "Files of lines `source TAB target`");
  app.add_option("--global-batch", command.options.global_batch, "Sentences of one step")
      ->capture_default_str();
  app.add_option("--prefetch", command.options.prefetch,
                 "Steps kept ready by the reader thread; 0 = no thread")
      ->capture_default_str();
  app.add_option("--seconds", command.seconds, "How long to take steps")->capture_default_str();
  app.add_flag("--preload", command.options.preload, "Keep the data set in memory");
  app.add_flag("--json", command.json, "Print one JSON document on stdout");
}

}  // namespace

void add_bench(Tool& tool) {
  tool.add<BenchCommand>({.name = "bench",
                          .help = "How fast sharding and the loader are on this machine",
                          .options = &add_options,
                          .run = &run_bench});
}

}  // namespace relmpi
