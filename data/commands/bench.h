#pragma once

#include <cstdint>
#include <filesystem>

#include "data/loader/loader.h"
#include "data/shards/sharding.h"

namespace relmpi {

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

// Takes steps from a loader for so long and touches every id.
LoaderBench bench_loader(const std::filesystem::path& folder, const Vocabulary& vocabulary,
                         const LoaderOptions& options, double seconds);

struct ShardingBench {
  std::int64_t sentences = 0;
  double seconds = 0;
  double sentences_per_minute() const { return static_cast<double>(sentences) * 60 / seconds; }
};

// Shards the pairs into a temporary folder, which is removed.
ShardingBench bench_sharding(const std::vector<std::filesystem::path>& pairs, const Vocabulary& vocabulary);

}  // namespace relmpi
