#include "data/commands/bench.h"

#include <unistd.h>

#include <chrono>

#include "base/error.h"
#include "data/shards/shard_writer.h"

namespace relmpi {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

LoaderBench bench_loader(const std::filesystem::path& folder, const Vocabulary& vocabulary,
                         const LoaderOptions& options, double seconds) {
  if (!(seconds > 0)) throw InputError("--seconds {}: more than 0", seconds);
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

}  // namespace relmpi
