#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "data/shards/dataset.h"

namespace relmpi {

// Rows of one micro-batch in host memory, padded at the right with id 0 ([PAD]) to the longest row.
struct Batch {
  std::int64_t rows = 0;              // B
  std::int64_t width = 0;             // longest sentence of these rows
  std::int32_t* source = nullptr;     // (B, width)
  std::int32_t* target = nullptr;     // (B, width)
  std::int32_t* lengths = nullptr;    // (B)
  std::int64_t* sentences = nullptr;  // (B) sentence numbers in the data set
  std::shared_ptr<void> memory;       // owns the four arrays, which lie in this order in one block
};

// What one rank does in one optimiser step. Empty if a small last batch leaves nothing for this rank.
struct StepBatches {
  std::int64_t epoch = 0;
  std::int64_t step = 0;  // within the epoch
  std::vector<Batch> micro_batches;
};

struct LoaderOptions {
  std::uint64_t seed = 0;
  std::int64_t global_batch = 64;  // sentences of one step over all ranks
  std::int64_t micro_batch = 0;    // rows of one forward pass on one rank; 0 = the whole part of the rank
  int rank = 0;
  int size = 1;
  int prefetch = 4;              // steps that the reader thread keeps ready; 0 = no thread, read on demand
  bool preload = false;          // the whole data set in memory
  std::int64_t first_epoch = 0;  // where to start (resume)
  std::int64_t first_step = 0;   // within first_epoch
  // Memory for one micro-batch; null = ordinary memory.
  std::function<std::shared_ptr<void>(std::size_t bytes)> allocate;
};

// Endless stream of steps, epoch after epoch, in the order of data/loader/order.h.
class Loader {
 public:
  Loader(std::shared_ptr<const Dataset> dataset, LoaderOptions options);
  ~Loader();

  // Blocks until the step is ready. Rethrows what stopped the reader thread.
  StepBatches next();

  std::int64_t steps_per_epoch() const;  // ceil(sentences / global batch): the last one may be smaller
  double seconds_waited() const;         // time that next() spent waiting, in all

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace relmpi
