#include "data/loader/order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/error.h"
#include "base/random.h"

namespace relmpi {
namespace {

std::vector<std::uint16_t> random_lengths(std::size_t count) {
  Random random(3, "lengths", count);
  std::vector<std::uint16_t> lengths(count);
  for (auto& length : lengths) length = static_cast<std::uint16_t>(4 + random.below(60) + random.below(60));
  return lengths;
}

// All global batches of an epoch, checked against what the pools say about steps and rows.
std::vector<std::vector<std::int64_t>> batches_of(const std::vector<std::uint16_t>& lengths,
                                                  const OrderOptions& options, std::int64_t epoch) {
  const EpochOrder order(lengths, options, epoch);
  std::vector<std::vector<std::int64_t>> batches;
  for (std::int64_t p = 0; p < order.pools(); ++p) {
    const Pool pool = order.pool(p);
    EXPECT_EQ(pool.first_step, static_cast<std::int64_t>(batches.size()));
    std::vector<std::int64_t> rows;
    for (const auto& [begin, end] : pool.ranges) {
      for (std::int64_t i = begin; i < end; ++i) rows.push_back(i);
    }
    for (const auto& batch : pool.batches) {
      EXPECT_EQ(order.pool_of_step(static_cast<std::int64_t>(batches.size())), p);
      std::vector<std::int64_t> sentences;
      for (const PoolSentence& item : batch) {
        EXPECT_EQ(rows[static_cast<std::size_t>(item.row)], item.sentence);
        sentences.push_back(item.sentence);
      }
      batches.push_back(std::move(sentences));
    }
  }
  EXPECT_EQ(order.steps(), static_cast<std::int64_t>(batches.size()));
  return batches;
}

class Order : public ::testing::TestWithParam<std::tuple<std::size_t, OrderOptions>> {};

TEST_P(Order, EverySentenceOnceAndOnlyTheLastBatchIsSmall) {
  const auto& [count, options] = GetParam();
  const auto lengths = random_lengths(count);
  const auto batches = batches_of(lengths, options, 2);
  std::vector<std::int64_t> all;
  for (std::size_t b = 0; b < batches.size(); ++b) {
    all.insert(all.end(), batches[b].begin(), batches[b].end());
    if (b + 1 < batches.size()) {
      EXPECT_EQ(static_cast<std::int64_t>(batches[b].size()), options.global_batch);
    }
    EXPECT_TRUE(std::ranges::is_sorted(batches[b], {},
                                       [&](std::int64_t s) { return lengths[static_cast<std::size_t>(s)]; }));
  }
  EXPECT_EQ(static_cast<std::int64_t>(batches.size()),
            (static_cast<std::int64_t>(count) + options.global_batch - 1) / options.global_batch);
  std::ranges::sort(all);
  std::vector<std::int64_t> wanted(count);
  std::iota(wanted.begin(), wanted.end(), 0);
  EXPECT_EQ(all, wanted);
}

TEST_P(Order, AFunctionOfSeedAndEpoch) {
  const auto& [count, options] = GetParam();
  const auto lengths = random_lengths(count);
  const auto batches = batches_of(lengths, options, 2);
  EXPECT_EQ(batches, batches_of(lengths, options, 2));
  if (count < 20) return;  // few orders: two may be the same
  EXPECT_NE(batches, batches_of(lengths, options, 3));
  OrderOptions other = options;
  other.seed = 99;
  EXPECT_NE(batches, batches_of(lengths, other, 2));
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, Order,
    ::testing::Values(std::tuple{1, OrderOptions{1, 64}}, std::tuple{64, OrderOptions{1, 64}},
                      std::tuple{65, OrderOptions{1, 64}}, std::tuple{5000, OrderOptions{1, 7}},
                      std::tuple{5000, OrderOptions{1, 16, 100, 512}},   // blocks straddle pools
                      std::tuple{5000, OrderOptions{1, 48, 333, 1000}},  // pools are rounded to 1,008
                      std::tuple{4097, OrderOptions{1, 1, 64, 256}},
                      std::tuple{777, OrderOptions{1, 1000, 10, 50}},
                      std::tuple{100, OrderOptions{1, 8, 1, 8}}, std::tuple{140000, OrderOptions{1, 64}}));

TEST(OrderOfRanks, PartsAreEqualAndTheirUnionIsTheBatch) {
  const auto lengths = random_lengths(5000);
  const EpochOrder order(lengths, {1, 50, 100, 1000}, 0);
  for (const auto& batch : order.pool(1).batches) {
    for (const int size : {1, 2, 3, 4, 7, 60}) {
      std::multiset<std::int64_t> all;
      std::size_t least = batch.size(), most = 0;
      std::int64_t shortest = 1 << 30, longest = 0;  // sums of lengths
      for (int rank = 0; rank < size; ++rank) {
        const auto part = part_of_rank(batch, rank, size);
        least = std::min(least, part.size());
        most = std::max(most, part.size());
        std::int64_t sum = 0;
        for (const PoolSentence& item : part) {
          all.insert(item.sentence);
          sum += lengths[static_cast<std::size_t>(item.sentence)];
        }
        shortest = std::min(shortest, sum);
        longest = std::max(longest, sum);
      }
      std::multiset<std::int64_t> wanted;
      for (const PoolSentence& item : batch) wanted.insert(item.sentence);
      EXPECT_EQ(all, wanted);
      EXPECT_LE(most - least, 1u);
      // Dealt from a sorted batch: parts differ by less than one longest sentence.
      EXPECT_LE(longest - shortest, lengths[static_cast<std::size_t>(batch.back().sentence)]);
    }
  }
}

TEST(OrderOfPool, SentencesOfManyBlocksMeetInABatch) {
  const auto lengths = random_lengths(50000);
  const EpochOrder order(lengths, {1, 64, 1024, 65536}, 0);
  double blocks = 0;
  const Pool pool = order.pool(0);
  for (const auto& batch : pool.batches) {
    std::set<std::int64_t> seen;
    for (const PoolSentence& item : batch) seen.insert(item.sentence / 1024);
    blocks += static_cast<double>(seen.size()) / static_cast<double>(pool.batches.size());
  }
  EXPECT_GT(blocks, 30);  // of 49: what drawing 64 times at random gives is 36
}

TEST(OrderOfPool, BlocksMeetOthersInEveryEpoch) {
  const auto lengths = random_lengths(5000);
  const OrderOptions options{1, 50, 100, 1000};
  const auto ranges = EpochOrder(lengths, options, 0).pool(0).ranges;
  EXPECT_EQ(EpochOrder(lengths, options, 0).pool(0).ranges, ranges);
  EXPECT_NE(EpochOrder(lengths, options, 1).pool(0).ranges, ranges);
}

TEST(OrderOfPool, StepsAreNotSortedByLength) {
  const auto lengths = random_lengths(50000);
  const Pool pool = EpochOrder(lengths, {1, 64}, 0).pool(0);
  std::int64_t rises = 0;
  for (std::size_t i = 1; i < pool.batches.size(); ++i) {
    const auto length = [&](std::size_t b) {
      return lengths[static_cast<std::size_t>(pool.batches[b][0].sentence)];
    };
    rises += length(i) > length(i - 1);
  }
  EXPECT_NEAR(static_cast<double>(rises) / static_cast<double>(pool.batches.size()), .5, .1);
}

TEST(OrderOfPool, TheSmallBatchIsNotAlwaysTheLongest) {
  const auto lengths = random_lengths(1010);
  std::set<std::uint16_t> seen;
  for (std::int64_t epoch = 0; epoch < 20; ++epoch) {
    const Pool pool = EpochOrder(lengths, {1, 100}, epoch).pool(0);
    EXPECT_EQ(pool.batches.back().size(), 10u);
    seen.insert(lengths[static_cast<std::size_t>(pool.batches.back()[0].sentence)]);
  }
  EXPECT_GT(seen.size(), 4u);
}

TEST(OrderOfPool, LittlePadding) {
  const auto lengths = random_lengths(140000);
  const EpochOrder order(lengths, {1, 64}, 0);
  std::int64_t tokens = 0, cells = 0;
  for (std::int64_t p = 0; p < order.pools(); ++p) {
    for (const auto& batch : order.pool(p).batches) {
      for (const PoolSentence& item : batch) tokens += lengths[static_cast<std::size_t>(item.sentence)];
      cells +=
          static_cast<std::int64_t>(batch.size()) * lengths[static_cast<std::size_t>(batch.back().sentence)];
    }
  }
  const double padding = 1 - static_cast<double>(tokens) / static_cast<double>(cells);
  fmt::print("padding: {:.2f} % of the cells\n", 100 * padding);
  EXPECT_LT(padding, .01);
}

TEST(OrderOptions, WrongValuesAreRefused) {
  const auto lengths = random_lengths(10);
  EXPECT_THROW(EpochOrder(lengths, {1, 0}, 0), InputError);
  EXPECT_THROW(EpochOrder(lengths, {1, 8, 0}, 0), InputError);
}

}  // namespace
}  // namespace relmpi
