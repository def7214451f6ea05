#include "data/tokenizers/bpe_merge.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace relmpi {
namespace {

using Symbols = std::vector<std::int32_t>;
using Table = std::map<std::pair<std::int32_t, std::int32_t>, std::pair<std::int32_t, std::int32_t>>;

// The definition: again and again the pair of the lowest rank, the leftmost of equal ones.
Symbols merged_by_definition(const Table& table, Symbols symbols) {
  for (;;) {
    auto best = table.end();
    std::size_t place = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = table.find({symbols[i], symbols[i + 1]});
      if (found == table.end() || (best != table.end() && found->second.first >= best->second.first))
        continue;
      best = found;
      place = i;
    }
    if (best == table.end()) return symbols;
    symbols[place] = best->second.second;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

// Tokens are strings of few letters, so that one token comes about in several ways, as in real vocabularies.
struct RandomMerges {
  explicit RandomMerges(std::uint64_t seed) {
    Random random(seed, "merges");
    std::vector<std::string> tokens = {"a", "b", "c"};
    std::map<std::string, std::int32_t> ids = {{"a", 0}, {"b", 1}, {"c", 2}};
    for (std::int32_t rank = 0; rank < 40; ++rank) {
      const auto left = random.below(tokens.size()), right = random.below(tokens.size());
      const std::string token = tokens[left] + tokens[right];
      if (token.size() > 9) continue;
      const auto [entry, fresh] = ids.emplace(token, static_cast<std::int32_t>(tokens.size()));
      if (fresh) tokens.push_back(token);
      const std::pair pair(static_cast<std::int32_t>(left), static_cast<std::int32_t>(right));
      table[pair] = {rank, entry->second};
      merges.add(pair.first, pair.second, rank, entry->second);
    }
  }
  Table table;
  BpeMerges merges;
};

TEST(BpeMerges, ShortAndLongWaysGiveWhatTheDefinitionSays) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const RandomMerges random_merges(seed);
    for (std::uint64_t i = 0; i < 60; ++i) {
      Random random(seed, "symbols", i);
      Symbols symbols(random.below(i < 40 ? 12 : 200));
      for (auto& symbol : symbols) symbol = static_cast<std::int32_t>(random.below(3));
      const Symbols expected = merged_by_definition(random_merges.table, symbols);
      Symbols by_short = symbols, by_long = symbols, by_length = symbols;
      random_merges.merges.merge_short(by_short);
      random_merges.merges.merge_long(by_long);
      random_merges.merges.merge(by_length);
      EXPECT_EQ(by_short, expected) << "seed " << seed << ", " << i;
      EXPECT_EQ(by_long, expected) << "seed " << seed << ", " << i;
      EXPECT_EQ(by_length, expected) << "seed " << seed << ", " << i;
    }
  }
}

TEST(BpeMerges, EqualPairsAreMergedFromTheLeft) {
  BpeMerges merges;
  merges.add(0, 0, 0, 1);
  Symbols symbols = {0, 0, 0};
  merges.merge_short(symbols);
  EXPECT_EQ(symbols, (Symbols{1, 0}));
  symbols = {0, 0, 0};
  merges.merge_long(symbols);
  EXPECT_EQ(symbols, (Symbols{1, 0}));
}

TEST(BpeMerges, ALaterPairReplacesAnEarlierOne) {
  BpeMerges merges;
  merges.add(0, 1, 0, 5);
  merges.add(0, 1, 3, 6);
  Symbols symbols = {0, 1};
  merges.merge(symbols);
  EXPECT_EQ(symbols, Symbols{6});
}

// The square of this length would take hours.
TEST(BpeMerges, AMillionEqualSymbolsTakeAMoment) {
  BpeMerges merges;
  for (std::int32_t level = 0; level < 6; ++level) merges.add(level, level, level, level + 1);
  Symbols symbols(1000001, 0);
  merges.merge(symbols);
  EXPECT_EQ(symbols.size(), 1000000U / 64 + 1);
  EXPECT_EQ(symbols.back(), 0);
}

}  // namespace
}  // namespace relmpi
