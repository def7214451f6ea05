#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace relmpi {

// The order of training sentences: a function of (seed, epoch, step, global batch size) alone, whatever the
// number of ranks and wherever a run was stopped.
//
// An epoch: blocks of neighbouring sentences are shuffled; their concatenation is cut into pools of about
// 65,536 sentences; the sentences of a pool are shuffled, then sorted by length (ties stay shuffled) and cut
// into global batches; the batches of the pool are shuffled. Only the last pool can have a batch that is not
// full: it is the last step of the epoch, cut out at a random length so that it is not always the longest
// sentences.
struct OrderOptions {
  std::uint64_t seed = 0;
  std::int64_t global_batch = 64;
  std::int64_t block = 1024;  // sentences that are read together
  std::int64_t pool = 65536;  // rounded to a multiple of global_batch, at least one batch

  void validate() const;  // throws InputError
};

// One sentence of a pool.
struct PoolSentence {
  std::int64_t sentence = 0;  // number in the data set
  std::int64_t row = 0;       // place in the pool's ranges, laid end to end
};

// What has to be read for a pool, and in which steps it is used.
struct Pool {
  std::int64_t first_step = 0;                                // within the epoch
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges;  // [begin, end) of sentences
  std::vector<std::vector<PoolSentence>> batches;             // global batches, each by rising length
};

class EpochOrder {
 public:
  // `lengths`: of every sentence, at least one; must outlive this object.
  EpochOrder(const std::vector<std::uint16_t>& lengths, const OrderOptions& options, std::int64_t epoch);

  std::int64_t steps() const;  // ceil(sentences / global batch)
  std::int64_t pools() const;
  std::int64_t pool_of_step(std::int64_t step) const { return step / steps_per_pool_; }
  Pool pool(std::int64_t index) const;

 private:
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges_of(std::int64_t begin, std::int64_t end) const;

  const std::vector<std::uint16_t>& lengths_;
  OrderOptions options_;
  std::int64_t epoch_;
  std::int64_t sentences_;
  std::int64_t steps_per_pool_;
  std::vector<std::int64_t> blocks_;  // shuffled
};

// The part of a global batch that belongs to a rank: every size-th sentence, so that all ranks get the same
// lengths and equal numbers (give or take one). By rising length.
std::vector<PoolSentence> part_of_rank(const std::vector<PoolSentence>& global_batch, int rank, int size);

}  // namespace relmpi
