#include "data/loader/order.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/random.h"

namespace relmpi {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

void OrderOptions::validate() const {
  demand(global_batch >= 1, "--global-batch", global_batch, "at least 1 sentence a step");
  if (block < 1 || pool < 1) throw InputError("block {} and pool {}: at least 1 sentence each", block, pool);
}

EpochOrder::EpochOrder(const std::vector<std::uint16_t>& lengths, const OrderOptions& options,
                       std::int64_t epoch)
    : lengths_(lengths),
      options_(options),
      epoch_(epoch),
      sentences_(static_cast<std::int64_t>(lengths.size())) {
  options.validate();
  RELMPI_CHECK(sentences_ > 0, "an order of no sentences");
  steps_per_pool_ =
      std::max<std::int64_t>(1, (options.pool + options.global_batch / 2) / options.global_batch);
  blocks_.resize(static_cast<std::size_t>(ceil_div(sentences_, options.block)));
  std::iota(blocks_.begin(), blocks_.end(), 0);
  Random(options.seed, "order of blocks", epoch).shuffle(blocks_);
}

std::int64_t EpochOrder::steps() const { return ceil_div(sentences_, options_.global_batch); }
std::int64_t EpochOrder::pools() const { return ceil_div(steps(), steps_per_pool_); }

// The sentences [begin, end) of the shuffled blocks laid end to end.
std::vector<std::pair<std::int64_t, std::int64_t>> EpochOrder::ranges_of(std::int64_t begin,
                                                                         std::int64_t end) const {
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
  // All blocks are full but the last one of the data set: those behind it begin earlier by what it lacks.
  const std::int64_t last_block = ceil_div(sentences_, options_.block) - 1;
  const std::int64_t lacking = (last_block + 1) * options_.block - sentences_;
  std::int64_t place = 0;
  std::size_t next = 0;
  if (const std::int64_t skip = begin / options_.block; skip > 0) {
    next = static_cast<std::size_t>(skip);
    place = skip * options_.block;
    const auto skipped = blocks_.begin() + static_cast<std::ptrdiff_t>(skip);
    if (std::find(blocks_.begin(), skipped, last_block) != skipped) place -= lacking;
  }
  for (; next < blocks_.size() && place < end; ++next) {
    const std::int64_t block = blocks_[next];
    const std::int64_t size = options_.block - (block == last_block ? lacking : 0);
    const std::int64_t from = std::max(begin - place, std::int64_t{0}), to = std::min(end - place, size);
    if (from < to) ranges.emplace_back(block * options_.block + from, block * options_.block + to);
    place += size;
  }
  return ranges;
}

Pool EpochOrder::pool(std::int64_t index) const {
  RELMPI_CHECK(0 <= index && index < pools(), "pool {} of {}", index, pools());
  const std::int64_t size = steps_per_pool_ * options_.global_batch;
  Pool pool;
  pool.first_step = index * steps_per_pool_;
  pool.ranges = ranges_of(index * size, std::min((index + 1) * size, sentences_));

  std::vector<PoolSentence> sorted;
  for (const auto& [begin, end] : pool.ranges) {
    for (std::int64_t i = begin; i < end; ++i)
      sorted.push_back({i, static_cast<std::int64_t>(sorted.size())});
  }
  Random(options_.seed, "order in a pool", epoch_, index).shuffle(sorted);
  const auto length = [&](const PoolSentence& item) {
    return lengths_[static_cast<std::size_t>(item.sentence)];
  };
  std::ranges::stable_sort(sorted, {}, length);

  Random random(options_.seed, "order of batches", epoch_, index);
  const auto full = static_cast<std::int64_t>(sorted.size()) / options_.global_batch;
  const auto rest = static_cast<std::int64_t>(sorted.size()) % options_.global_batch;
  const std::int64_t small_at =
      rest > 0 ? static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(full) + 1)) : full;
  std::vector<PoolSentence> small;
  auto next = sorted.begin();
  for (std::int64_t batch = 0; batch <= full; ++batch) {
    if (batch == small_at) {
      small.assign(next, next + rest);
      next += rest;
    }
    if (batch == full) break;
    pool.batches.emplace_back(next, next + options_.global_batch);
    next += options_.global_batch;
  }
  random.shuffle(pool.batches);
  if (!small.empty()) pool.batches.push_back(std::move(small));
  return pool;
}

std::vector<PoolSentence> part_of_rank(const std::vector<PoolSentence>& global_batch, int rank, int size) {
  std::vector<PoolSentence> part;
  for (auto i = static_cast<std::size_t>(rank); i < global_batch.size();
       i += static_cast<std::size_t>(size)) {
    part.push_back(global_batch[i]);
  }
  return part;
}

}  // namespace relmpi
