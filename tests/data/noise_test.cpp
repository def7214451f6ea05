#include "data/spelling/noise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/error.h"
#include "test_data.h"

namespace relmpi {
namespace {

// 字 has every kind, 中 sounds alone, 文 frequent characters alone; "a" and "，" can never go wrong.
ConfusionSet small_set() {
  ConfusionSet set;
  set.same_sound = {{U'字', {U'自', U'子'}}, {U'中', {U'钟'}}};
  set.similar_sound = {{U'字', {U'知'}}};
  set.similar_shape = {{U'字', {U'学', U'子'}}};
  set.frequent = {U'的', U'一', U'字'};
  set.counts = {{U'自', 100}, {U'子', 25}, {U'学', 4}, {U'的', 900}, {U'一', 400}, {U'字', 1}};
  return set;
}

// Five standard deviations of a share of n draws.
double five_sigma(double share, double n) { return 5 * std::sqrt(share * (1 - share) / n); }

std::int64_t errors_of(const NoisySentence& noisy) {
  return std::accumulate(noisy.errors.begin(), noisy.errors.end(), std::int64_t{0});
}

TEST(Poisson, HasItsDistribution) {
  constexpr int kDraws = 100000;
  for (const bool at_least_one : {false, true}) {
    for (const double mean : {0.1, 1.5, 12.0}) {
      std::map<std::int64_t, int> counts;
      Random random(1, "poisson", static_cast<int>(mean * 10), at_least_one);
      for (int i = 0; i < kDraws; ++i) ++counts[poisson(mean, at_least_one, random)];
      const double scale = at_least_one ? 1 - std::exp(-mean) : 1;
      double expected = std::exp(-mean) / scale;
      if (at_least_one) {
        EXPECT_EQ(counts.count(0), 0U);
      }
      for (int k = at_least_one ? 1 : 0; k < 30; ++k) {
        expected = std::exp(k * std::log(mean) - mean - std::lgamma(k + 1.0)) / scale;
        EXPECT_NEAR(static_cast<double>(counts[k]) / kDraws, expected, five_sigma(expected, kDraws) + 5e-5)
            << "mean " << mean << ", k " << k;
      }
    }
  }
}

TEST(NoiseChannel, DrawsWithTheProbabilitiesItTells) {
  constexpr int kDraws = 200000;
  const auto set = small_set();
  const NoiseChannel channel(set, kDefaultMix);
  for (char32_t meant : {U'字', U'中', U'文', U'的'}) {
    const auto told = channel.probabilities(meant);
    std::map<char32_t, int> counts;
    Random random(2, "channel", meant);
    for (int i = 0; i < kDraws; ++i) ++counts[channel.draw(meant, random).first];
    EXPECT_EQ(counts.size(), told.size());
    double sum = 0;
    for (const auto& [written, probability] : told) {
      EXPECT_NE(written, meant);
      EXPECT_NEAR(static_cast<double>(counts[written]) / kDraws, probability,
                  five_sigma(probability, kDraws));
      sum += probability;
    }
    EXPECT_NEAR(sum, 1, 1e-12);
  }
}

TEST(NoiseChannel, WeighsBySquareRootOfCountInsideAKind) {
  const NoiseChannel channel(small_set(), {1, 0, 0, 0});
  const auto told = channel.probabilities(U'字');  // in order of code point: 子 U+5B50, 自 U+81EA
  ASSERT_EQ(told.size(), 2U);
  EXPECT_DOUBLE_EQ(told[0].second, 5.0 / 15);
  EXPECT_DOUBLE_EQ(told[1].second, 10.0 / 15);
}

TEST(NoiseChannel, AddsTheKindsOfOneCharacterUp) {
  const NoiseChannel channel(small_set(), {.5, .25, .25, 0});
  std::map<char32_t, double> told;
  for (const auto& [written, probability] : channel.probabilities(U'字')) told[written] = probability;
  EXPECT_DOUBLE_EQ(told[U'子'], .5 * 5 / 15 + .25 * 5 / 7);  // same sound and similar shape
  EXPECT_DOUBLE_EQ(told[U'知'], .25);
}

TEST(NoiseChannel, DrawsKindsByTheMixAmongThoseThatThereAre) {
  constexpr int kDraws = 100000;
  const NoiseChannel channel(small_set(), kDefaultMix);
  const std::map<char32_t, ErrorMix> expected = {
      {U'字', kDefaultMix}, {U'中', {.8, 0, 0, .2}}, {U'文', {0, 0, 0, 1}}};
  for (const auto& [meant, shares] : expected) {
    std::array<int, kErrorKinds> counts{};
    Random random(3, "kinds", meant);
    for (int i = 0; i < kDraws; ++i) ++counts[static_cast<std::size_t>(channel.draw(meant, random).second)];
    for (std::size_t k = 0; k < counts.size(); ++k) {
      EXPECT_NEAR(static_cast<double>(counts[k]) / kDraws, shares[k], five_sigma(shares[k], kDraws));
    }
  }
}

TEST(NoiseChannel, ErrsOnlyAtChineseCharactersWithAReplacement) {
  const NoiseChannel all(small_set(), kDefaultMix);
  EXPECT_TRUE(all.can_err(U'文'));
  EXPECT_FALSE(all.can_err(U'a'));
  EXPECT_FALSE(all.can_err(U'，'));
  const NoiseChannel sounds(small_set(), {.5, .5, 0, 0});
  EXPECT_FALSE(sounds.can_err(U'文'));
  EXPECT_TRUE(sounds.probabilities(U'文').empty());
}

TEST(NoiseChannel, WritesOnlyWhatIsAllowed) {
  const NoiseChannel channel(small_set(), kDefaultMix, [](char32_t c) { return c == U'学' || c == U'一'; });
  for (const auto& [written, probability] : channel.probabilities(U'字')) {
    EXPECT_TRUE(written == U'学' || written == U'一');
  }
  EXPECT_FALSE(NoiseChannel(small_set(), {1, 0, 0, 0}, [](char32_t c) { return c == U'学'; }).can_err(U'字'));
}

TEST(NoiseChannel, ItsTwoPartsMakeTheWhole) {
  const NoiseChannel channel(small_set(), kDefaultMix);
  for (char32_t meant : {U'字', U'中', U'的', U'文'}) {
    std::map<char32_t, double> joined;
    for (const auto& [x, p] : channel.listed_probabilities(meant)) joined[x] += p;
    for (char32_t x : small_set().frequent) {
      if (x == meant) continue;
      joined[x] += channel.frequent_share(meant) * channel.frequent_weight(x) /
                   (channel.frequent_total() - channel.frequent_weight(meant));
    }
    for (const auto& [x, p] : channel.probabilities(meant)) EXPECT_NEAR(joined[x], p, 1e-12);
  }
}

TEST(Noise, IsAFunctionOfSeedCopyAndIndexAlone) {
  const auto set = small_set();
  const std::u32string text = U"中文字的字中，中文abc字";
  const Noise noise(set, {.seed = 5});
  std::vector<std::u32string> forwards;
  for (int i = 0; i < 50; ++i) forwards.push_back(noise.apply(text, 1, i).source);
  const Noise again(set, {.seed = 5});
  for (int i = 49; i >= 0; --i)
    EXPECT_EQ(again.apply(text, 1, i).source, forwards[static_cast<std::size_t>(i)]);
  const Noise other_seed(set, {.seed = 6});
  int differ_by_seed = 0, differ_by_copy = 0;
  for (int i = 0; i < 50; ++i) {
    differ_by_seed += other_seed.apply(text, 1, i).source != forwards[static_cast<std::size_t>(i)] ? 1 : 0;
    differ_by_copy += noise.apply(text, 2, i).source != forwards[static_cast<std::size_t>(i)] ? 1 : 0;
  }
  EXPECT_GT(differ_by_seed, 20);
  EXPECT_GT(differ_by_copy, 20);
}

TEST(Noise, KeepsLengthAndCountsItsErrors) {
  const Noise noise(small_set(), {.mean_errors = 6, .seed = 1});
  const std::u32string text = U"a字，中b文";
  for (int i = 0; i < 2000; ++i) {
    const auto noisy = noise.apply(text, 0, i);
    ASSERT_EQ(noisy.source.size(), text.size());
    std::int64_t changed = 0;
    for (std::size_t j = 0; j < text.size(); ++j) changed += noisy.source[j] != text[j] ? 1 : 0;
    EXPECT_EQ(changed, errors_of(noisy));
    EXPECT_LE(changed, 3);
    EXPECT_EQ(noisy.source[0], U'a');
    EXPECT_EQ(noisy.source[2], U'，');
  }
}

TEST(Noise, NumberOfErrorsAndCleanShareAreAsAsked) {
  constexpr int kSentences = 40000;
  const std::u32string text(60, U'字');  // room for every error
  const Noise noise(small_set(), {.mean_errors = 1.5, .clean = .15, .seed = 9});
  double errors = 0, left_clean = 0, without = 0;
  for (int i = 0; i < kSentences; ++i) {
    const auto noisy = noise.apply(text, 0, i);
    errors += static_cast<double>(errors_of(noisy));
    left_clean += noisy.left_clean ? 1 : 0;
    without += errors_of(noisy) == 0 ? 1 : 0;
  }
  EXPECT_NEAR(left_clean / kSentences, .15, five_sigma(.15, kSentences));
  const double none = .15 + .85 * std::exp(-1.5);
  EXPECT_NEAR(without / kSentences, none, five_sigma(none, kSentences));
  EXPECT_NEAR(errors / kSentences, .85 * 1.5, 5 * std::sqrt(2.0 / kSentences));  // variance below 2
}

TEST(Noise, AtLeastOneLeavesNoSentenceRightByChance) {
  constexpr int kSentences = 20000;
  const std::u32string text(60, U'字');
  const Noise noise(small_set(), {.mean_errors = .5, .clean = .15, .at_least_one = true, .seed = 9});
  double errors = 0, noised = 0;
  for (int i = 0; i < kSentences; ++i) {
    const auto noisy = noise.apply(text, 0, i);
    ASSERT_EQ(errors_of(noisy) == 0, noisy.left_clean);
    if (noisy.left_clean) continue;
    errors += static_cast<double>(errors_of(noisy));
    ++noised;
  }
  EXPECT_NEAR(noised / kSentences, .85, five_sigma(.85, kSentences));
  EXPECT_NEAR(errors / noised, .5 / (1 - std::exp(-.5)), .03);
}

TEST(Noise, SpreadsErrorsEvenly) {
  const std::u32string text(5, U'字');
  const Noise noise(small_set(), {.mean_errors = 1, .clean = 0, .seed = 4});
  std::array<double, 5> counts{};
  double sum = 0;
  for (int i = 0; i < 40000; ++i) {
    const auto noisy = noise.apply(text, 0, i);
    for (std::size_t j = 0; j < text.size(); ++j) {
      counts[j] += noisy.source[j] != text[j] ? 1 : 0;
      sum += noisy.source[j] != text[j] ? 1 : 0;
    }
  }
  for (double count : counts) EXPECT_NEAR(count / sum, .2, five_sigma(.2, sum));
}

TEST(NoiseOptions, WrongValuesNameTheOption) {
  const auto message = [](const NoiseOptions& options) {
    return message_of<InputError>([&] { options.validate(); });
  };
  EXPECT_NE(message({.mean_errors = 0}).find("--mean-errors 0"), std::string::npos);
  EXPECT_NE(message({.mean_errors = std::nan("")}).find("--mean-errors"), std::string::npos);
  EXPECT_NE(message({.clean = 1.5}).find("--clean 1.5"), std::string::npos);
  EXPECT_NE(message({.mix = {.5, -.5, 1, 0}}).find("similar_sound"), std::string::npos);
  EXPECT_NE(message({.mix = {0, 0, 0, 0}}).find("--mix"), std::string::npos);
  NoiseOptions{}.validate();
}

}  // namespace
}  // namespace relmpi
