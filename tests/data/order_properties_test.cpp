// What holds of the order of sentences for any lengths, options, epochs and ranks: rapidcheck draws them, and
// makes a counterexample small.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "data/loader/loader.h"
#include "data/loader/order.h"
#include "tests/data/shard_testing.h"

namespace relmpi {
namespace {

// The same cases each time; RC_PARAMS chooses others.
[[maybe_unused]] const int kParameters = ::setenv("RC_PARAMS", "seed=7 max_success=1000", /*overwrite=*/0);

using Batches = std::vector<std::vector<std::int64_t>>;  // sentence numbers

std::vector<std::int64_t> sentences_of(const std::vector<PoolSentence>& batch) {
  std::vector<std::int64_t> numbers;
  for (const PoolSentence& item : batch) numbers.push_back(item.sentence);
  return numbers;
}

// All global batches of an epoch, pool by pool.
Batches batches_of(const EpochOrder& order) {
  Batches batches;
  for (std::int64_t p = 0; p < order.pools(); ++p)
    for (const auto& batch : order.pool(p).batches) batches.push_back(sentences_of(batch));
  return batches;
}

struct Case {
  std::vector<std::uint16_t> lengths;
  OrderOptions options;
  std::int64_t epoch;
};

Case any_case() {
  const auto lengths = rc::gen::container<std::vector<std::uint16_t>>(rc::gen::inRange<std::uint16_t>(1, 30));
  const auto number = [](std::int64_t below) { return *rc::gen::inRange<std::int64_t>(1, below); };
  Case c{*rc::gen::scale(5, rc::gen::nonEmpty(lengths)), {}, number(1000) - 1};
  c.options.seed = *rc::gen::arbitrary<std::uint64_t>();
  c.options.global_batch = number(60);
  c.options.block = number(80);
  c.options.pool = number(400);
  return c;
}

RC_GTEST_PROP(OrderProperties, EverySentenceOnceAnEpochInFullBatchesButTheLast, ()) {
  const Case c = any_case();
  const EpochOrder order(c.lengths, c.options, c.epoch);
  const Batches batches = batches_of(order);
  RC_ASSERT(static_cast<std::int64_t>(batches.size()) == order.steps());
  std::vector<std::int64_t> all;
  for (const auto& batch : batches) {
    RC_ASSERT(static_cast<std::int64_t>(batch.size()) == c.options.global_batch || &batch == &batches.back());
    RC_ASSERT(!batch.empty());
    const auto length = [&](std::int64_t sentence) { return c.lengths[static_cast<std::size_t>(sentence)]; };
    RC_ASSERT(std::ranges::is_sorted(batch, {}, length));
    all.insert(all.end(), batch.begin(), batch.end());
  }
  std::ranges::sort(all);
  std::vector<std::int64_t> wanted(c.lengths.size());
  std::iota(wanted.begin(), wanted.end(), 0);
  RC_ASSERT(all == wanted);
}

RC_GTEST_PROP(OrderProperties, APoolReadsTheSentencesOfItsBatches, ()) {
  const Case c = any_case();
  const EpochOrder order(c.lengths, c.options, c.epoch);
  for (std::int64_t p = 0; p < order.pools(); ++p) {
    const Pool pool = order.pool(p);
    std::vector<std::int64_t> rows;
    for (const auto& [begin, end] : pool.ranges)
      for (std::int64_t i = begin; i < end; ++i) rows.push_back(i);
    std::size_t used = 0;
    for (const auto& batch : pool.batches) {
      used += batch.size();
      for (const PoolSentence& item : batch)
        RC_ASSERT(rows.at(static_cast<std::size_t>(item.row)) == item.sentence);
    }
    RC_ASSERT(used == rows.size());
  }
}

// Asked for in any order, by objects of their own that other epochs were asked of before.
RC_GTEST_PROP(OrderProperties, APureFunctionOfItsArguments, ()) {
  const Case c = any_case();
  const EpochOrder order(c.lengths, c.options, c.epoch);
  const Batches batches = batches_of(order);
  const auto lengths = c.lengths;
  static_cast<void>(batches_of(EpochOrder(lengths, c.options, c.epoch + 1)));
  for (std::int64_t p = order.pools(); p-- > 0;) {
    const Pool pool = EpochOrder(lengths, c.options, c.epoch).pool(p);
    for (std::size_t b = 0; b < pool.batches.size(); ++b)
      RC_ASSERT(sentences_of(pool.batches[b]) == batches.at(static_cast<std::size_t>(pool.first_step) + b));
  }
}

// A run that begins at a step finds there what a run from the beginning finds.
RC_GTEST_PROP(OrderProperties, EveryStepIsFoundWithoutTheOnesBefore, ()) {
  const Case c = any_case();
  const EpochOrder order(c.lengths, c.options, c.epoch);
  const Batches batches = batches_of(order);
  const auto step = *rc::gen::inRange<std::int64_t>(0, order.steps());
  const EpochOrder other(c.lengths, c.options, c.epoch);
  const Pool pool = other.pool(other.pool_of_step(step));
  const auto place = static_cast<std::size_t>(step - pool.first_step);
  RC_ASSERT(sentences_of(pool.batches.at(place)) == batches[static_cast<std::size_t>(step)]);
}

// The parts of any number of ranks, dealt back one by one, are the global batch: which sentences a step sees
// does not depend on that number. Parts differ by one sentence at most, and by less than the longest in
// length.
RC_GTEST_PROP(OrderProperties, RanksShareTheBatchInEqualParts, ()) {
  const Case c = any_case();
  const int ranks = *rc::gen::inRange(1, 12);
  const Pool pool = EpochOrder(c.lengths, c.options, c.epoch).pool(0);
  for (const auto& batch : pool.batches) {
    std::vector<std::vector<PoolSentence>> parts;
    std::vector<std::int64_t> tokens;
    for (int rank = 0; rank < ranks; ++rank) {
      parts.push_back(part_of_rank(batch, rank, ranks));
      tokens.push_back(0);
      for (const PoolSentence& item : parts.back())
        tokens.back() += c.lengths[static_cast<std::size_t>(item.sentence)];
    }
    std::vector<std::int64_t> dealt;
    for (std::size_t i = 0; dealt.size() < batch.size(); ++i) {
      const auto& part = parts[i % parts.size()];
      RC_ASSERT(part.size() > i / parts.size());
      dealt.push_back(part[i / parts.size()].sentence);
    }
    RC_ASSERT(dealt == sentences_of(batch));
    std::size_t sum = 0;
    for (const auto& part : parts) sum += part.size();
    RC_ASSERT(sum == batch.size() && parts.front().size() - parts.back().size() <= 1);
    const auto [least, most] = std::ranges::minmax(tokens);
    RC_ASSERT(most - least <= c.lengths[static_cast<std::size_t>(batch.back().sentence)]);
  }
}

class LoaderProperties : public ::testing::Test {
 protected:
  static constexpr std::size_t kSentences = 230;

  static void SetUpTestSuite() {
    folder_ = std::make_unique<testing::TemporaryFolder>();
    const Vocabulary vocabulary = testing::small_vocabulary();
    const auto path = testing::shard(*folder_, testing::random_pairs(41, kSentences), vocabulary, 3);
    dataset_ = std::make_shared<const Dataset>(path, vocabulary);
  }
  static void TearDownTestSuite() {
    dataset_.reset();
    folder_.reset();
  }

  static LoaderOptions any_options() {
    LoaderOptions options;
    options.seed = *rc::gen::arbitrary<std::uint64_t>();
    options.global_batch = *rc::gen::inRange<std::int64_t>(1, 300);
    options.micro_batch = *rc::gen::inRange<std::int64_t>(0, 9);
    options.size = *rc::gen::inRange(1, 6);
    options.rank = *rc::gen::inRange(0, options.size);
    options.prefetch = *rc::gen::inRange(0, 4);
    options.preload = *rc::gen::arbitrary<bool>();
    const auto steps = (std::int64_t{kSentences} + options.global_batch - 1) / options.global_batch;
    options.first_epoch = *rc::gen::inRange<std::int64_t>(0, 5);
    options.first_step = *rc::gen::inRange<std::int64_t>(0, steps + 1);
    return options;
  }

  // What the order function says that the rank does in this step.
  static std::vector<std::int64_t> expected(const LoaderOptions& options, std::int64_t epoch,
                                            std::int64_t step) {
    const EpochOrder order(dataset_->lengths(), {options.seed, options.global_batch}, epoch);
    const Pool pool = order.pool(order.pool_of_step(step));
    const auto& batch = pool.batches[static_cast<std::size_t>(step - pool.first_step)];
    return sentences_of(part_of_rank(batch, options.rank, options.size));
  }

  static void check_rows(const Batch& batch, std::vector<std::int64_t>& seen) {
    for (std::int64_t row = 0; row < batch.rows; ++row) {
      const std::int64_t sentence = batch.sentences[row];
      seen.push_back(sentence);
      const Sentences ids = dataset_->read(sentence, sentence + 1);
      RC_ASSERT(batch.lengths[row] == static_cast<std::int32_t>(ids.source.size()));
      RC_ASSERT(std::equal(ids.source.begin(), ids.source.end(), batch.source + row * batch.width));
      RC_ASSERT(std::equal(ids.target.begin(), ids.target.end(), batch.target + row * batch.width));
    }
  }

  static inline std::unique_ptr<testing::TemporaryFolder> folder_;
  static inline std::shared_ptr<const Dataset> dataset_;
};

// Wherever a run goes on, with whatever reading ahead, each rank gets the steps that the order function says.
TEST_F(LoaderProperties, GoesOnAtAnyStepAsIfItHadNeverStopped) {
  rc::detail::checkGTest([] {
    const LoaderOptions options = any_options();
    Loader loader(dataset_, options);
    std::int64_t epoch = options.first_epoch, step = options.first_step;
    for (int i = 0; i < 6; ++i, ++step) {
      if (step == loader.steps_per_epoch()) {
        ++epoch;
        step = 0;
      }
      const StepBatches batches = loader.next();
      RC_ASSERT(batches.epoch == epoch && batches.step == step);
      std::vector<std::int64_t> seen;
      for (const Batch& batch : batches.micro_batches) check_rows(batch, seen);
      RC_ASSERT(seen == expected(options, epoch, step));
    }
  });
}

}  // namespace
}  // namespace relmpi
