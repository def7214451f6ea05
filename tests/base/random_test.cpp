#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>

namespace relmpi {
namespace {

TEST(Random, IsAFunctionOfSeedPurposeAndIndex) {
  EXPECT_EQ(Random(1, "noise", 2, 3).next(), Random(1, "noise", 2, 3).next());
  std::set<std::uint64_t> first;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    for (const char* purpose : {"noise", "order"}) {
      for (int copy = 0; copy < 10; ++copy) {
        for (int index = 0; index < 10; ++index) first.insert(Random(seed, purpose, copy, index).next());
      }
    }
  }
  EXPECT_EQ(first.size(), 2000U);
}

TEST(Random, ItsNumbersArePinned) {
  // Shards and checkpoints of one version must be made again, bit for bit, by the next.
  EXPECT_EQ(mix64(0), 0xe220a8397b1dcdafULL);                      // splitmix64's first output for seed 0
  EXPECT_EQ(mix64(0x9e3779b97f4a7c15ULL), 0x6e789e6aa1b965f4ULL);  // and its second
}

TEST(Random, UniformHasTheMomentsOfUniform) {
  constexpr int kDraws = 200000;
  Random random(7, "test");
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.uniform();
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kDraws, 1.0 / 2, 5 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / kDraws));
}

TEST(Random, BelowIsEvenAlsoWhereTheBoundIsNoPowerOfTwo) {
  constexpr int kDraws = 70000;
  Random random(7, "below");
  std::array<int, 7> counts{};
  for (int i = 0; i < kDraws; ++i) ++counts[random.below(7)];
  double chi_square = 0;
  for (int count : counts) chi_square += std::pow(count - kDraws / 7.0, 2) / (kDraws / 7.0);
  EXPECT_LT(chi_square, 27.9);  // 6 degrees of freedom, p = 1e-4
  // 2^64 is 4/3 of this bound: without rejection the multiples of 3 would be drawn twice as often as the
  // others.
  constexpr std::uint64_t kBound = 3ULL << 62;
  int multiples = 0;
  for (int i = 0; i < 10000; ++i) {
    const auto value = random.below(kBound);
    ASSERT_LT(value, kBound);
    multiples += value % 3 == 0 ? 1 : 0;
  }
  EXPECT_NEAR(multiples, 10000 / 3, 250);
}

TEST(Random, ShuffleGivesEachOrderAlike) {
  std::array<int, 6> seen{};
  for (int i = 0; i < 12000; ++i) {
    std::vector<int> items = {0, 1, 2};
    Random(3, "shuffle", i).shuffle(items);
    ++seen[static_cast<std::size_t>(items[0] * 2 + (items[1] > items[2] ? 1 : 0))];
    std::ranges::sort(items);
    ASSERT_EQ(items, (std::vector<int>{0, 1, 2}));
  }
  for (int count : seen) EXPECT_NEAR(count, 2000, 250);
}

}  // namespace
}  // namespace relmpi
