#include "data/spelling/candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/random.h"
#include "base/utf8.h"
#include "data/text/sentence_files.h"
#include "test_data.h"

namespace relmpi {
namespace {

constexpr char32_t kFirst = U'一';

// A vocabulary of `characters` Chinese characters, and confusion lists, counts and frequent characters by
// chance.
struct RandomCase {
  Vocabulary vocabulary;
  ConfusionSet confusion;
  std::vector<std::int64_t> counts;
  ErrorMix mix{};
};

RandomCase random_case(std::uint64_t seed, std::size_t characters) {
  Random random(seed, "candidates");
  std::string bytes = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nab\n,\n";
  for (char32_t i = 0; i < characters; ++i) bytes += encode_utf8(std::u32string(1, kFirst + i)) + "\n";
  RandomCase out{Vocabulary::from_bytes(bytes, "random"), {}, {}, {}};
  const auto any = [&] {
    return kFirst + static_cast<char32_t>(random.below(characters + 3));
  };  // 3 have no token
  for (auto kind : {ErrorKind::kSameSound, ErrorKind::kSimilarSound, ErrorKind::kSimilarShape}) {
    for (char32_t i = 0; i < characters; ++i) {
      std::set<char32_t> list;
      for (auto n = random.below(5); n > 0; --n) list.insert(any());
      list.erase(kFirst + i);
      if (!list.empty()) out.confusion.lists(kind)[kFirst + i] = {list.begin(), list.end()};
    }
  }
  std::set<char32_t> frequent;
  for (auto n = random.below(characters / 2); n > 0; --n) frequent.insert(any());
  out.confusion.frequent = {frequent.begin(), frequent.end()};
  for (char32_t i = 0; i < characters; ++i) {
    out.confusion.counts[kFirst + i] = static_cast<std::int64_t>(random.below(1000));
  }
  for (std::int32_t id = 0; id < out.vocabulary.size(); ++id) {
    out.counts.push_back(random.below(4) == 0 ? 0 : static_cast<std::int64_t>(random.below(100000)));
  }
  for (double& share : out.mix) share = random.below(4) == 0 ? 0 : random.uniform();
  out.mix[0] += .1;
  return out;
}

// P(meant y | wrote x) up to a factor, for all y != x, straight from Bayes' rule over the whole V x V table.
std::vector<std::map<std::int32_t, double>> posterior(const RandomCase& example) {
  const auto& vocabulary = example.vocabulary;
  const NoiseChannel channel(example.confusion, example.mix, [&](char32_t c) {
    return vocabulary.find(encode_utf8(std::u32string(1, c))) >= 0;
  });
  std::vector<std::map<std::int32_t, double>> scores(static_cast<std::size_t>(vocabulary.size()));
  for (std::int32_t y = 0; y < vocabulary.size(); ++y) {
    if (vocabulary.character(y) == 0) continue;
    const auto count = example.counts[static_cast<std::size_t>(y)];
    for (const auto& [x, probability] : channel.probabilities(vocabulary.character(y))) {
      const auto id = static_cast<std::size_t>(vocabulary.find(encode_utf8(std::u32string(1, x))));
      scores[id][y] = probability * (count > 0 ? static_cast<double>(count) : 1e-6);
    }
  }
  return scores;
}

TEST(Candidates, AreBayesPosteriorInOrder) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const auto example = random_case(seed, 30);
    const auto& vocabulary = example.vocabulary;
    constexpr std::int32_t kWidth = 8;
    const auto table = build_candidates(vocabulary, example.confusion, example.counts, kWidth, example.mix);
    ASSERT_EQ(table.ids.size(), static_cast<std::size_t>(vocabulary.size() * kWidth));
    const auto scores = posterior(example);
    for (std::int32_t x = 0; x < vocabulary.size(); ++x) {
      const auto* row = table.ids.data() + x * kWidth;
      const auto& all = scores[static_cast<std::size_t>(x)];
      std::vector<double> best;
      for (const auto& [y, score] : all) best.push_back(score);
      std::ranges::sort(best, std::greater());
      ASSERT_EQ(row[0], x);
      std::set<std::int32_t> seen = {x};
      for (std::size_t i = 1; i < kWidth; ++i) {
        if (i > best.size()) {
          EXPECT_EQ(row[i], -1);
          continue;
        }
        ASSERT_TRUE(all.contains(row[i])) << "seed " << seed << ", x " << x << ": " << row[i];
        EXPECT_NEAR(all.at(row[i]) / best[i - 1], 1, 1e-9)
            << "seed " << seed << ", x " << x << ", place " << i;
        EXPECT_TRUE(seen.insert(row[i]).second) << "twice in a row";
      }
    }
  }
}

TEST(Candidates, SpecialTokensAndPiecesHaveThemselvesAlone) {
  const auto example = random_case(1, 10);
  const auto table = build_candidates(example.vocabulary, example.confusion, example.counts, 4);
  for (std::int32_t id = 0; id < 6; ++id) {
    const auto* row = table.ids.data() + id * 4;
    EXPECT_EQ(std::vector<std::int32_t>(row, row + 4), (std::vector<std::int32_t>{id, -1, -1, -1}));
  }
}

TEST(Candidates, WrongSizesAreRefused) {
  const auto example = random_case(1, 10);
  EXPECT_THROW(build_candidates(example.vocabulary, example.confusion, example.counts, 0), InputError);
  EXPECT_THROW(build_candidates(example.vocabulary, example.confusion, {1, 2, 3}, 4), InputError);
}

// The share of errors in noised text whose right character is among the K candidates of the wrong one.
double recall(const std::vector<std::u32string>& sentences, const Vocabulary& vocabulary,
              const ConfusionSet& set, const CandidateTable& table) {
  const Noise noise(set, {.clean = 0, .seed = 11},
                    [&](char32_t c) { return vocabulary.character(vocabulary.character_id(c)) == c; });
  double errors = 0, found = 0;
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    const auto source = noise.apply(sentences[i], 0, static_cast<std::int64_t>(i)).source;
    for (std::size_t j = 0; j < source.size(); ++j) {
      if (source[j] == sentences[i][j]) continue;
      const auto* row =
          table.ids.data() + static_cast<std::ptrdiff_t>(vocabulary.character_id(source[j])) * table.width;
      found += std::count(row, row + table.width, vocabulary.character_id(sentences[i][j])) > 0 ? 1 : 0;
      ++errors;
    }
  }
  return found / errors;
}

TEST(Candidates, RecallOnNoisedRealText) {
  const auto data = shared_data();
  RELMPI_NEEDS(data / "ecspell" / "train_law.txt");
  RELMPI_NEEDS(data / "confusion" / "pinyin_sam.json");
  RELMPI_NEEDS(data / "bert-base-chinese" / "vocab.txt");
  const auto vocabulary = Vocabulary::load(data / "bert-base-chinese" / "vocab.txt");
  ConfusionSet set;
  set.same_sound = import_lists(data / "confusion" / "pinyin_sam.json").lists;
  set.similar_sound = import_lists(data / "confusion" / "pinyin_sim.json").lists;
  set.similar_shape = import_lists(data / "confusion" / "stroke.json").lists;
  const TemporaryFolder folder;
  std::vector<std::u32string> sentences;
  std::vector<std::int64_t> counts(static_cast<std::size_t>(vocabulary.size()), 0);
  for (const auto& line : read_lines(data / "ecspell" / "train_law.txt")) {
    auto target = decode_utf8(line.substr(line.find('\t') + 1)).value();
    std::erase(target, U' ');
    for (char32_t c : target) {
      ++counts[static_cast<std::size_t>(vocabulary.character_id(c))];
      ++set.counts[c];
    }
    sentences.push_back(std::move(target));
  }
  const auto at = [&](std::int32_t width) {
    return recall(sentences, vocabulary, set, build_candidates(vocabulary, set, counts, width));
  };
  const double at_4 = at(4), at_16 = at(16), at_200 = at(200);
  RecordProperty("recall_at_16", std::to_string(at_16));
  EXPECT_GT(at_16, .9);
  EXPECT_GT(at_16, at_4);
  EXPECT_EQ(at_200, 1) << "no character has 200 others that could have been meant";
}

}  // namespace
}  // namespace relmpi
