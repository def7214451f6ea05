#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/random.h"
#include "eval/csc/metrics.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

std::u32string random_text(Random& random, std::size_t length) {
  std::u32string text;
  for (std::size_t i = 0; i < length; ++i) text += U"我在再座"[random.below(4)];
  return text;
}

std::u32string change(Random& random, std::u32string text) {
  while (!text.empty() && random.uniform() < 0.6)
    text[random.below(text.size())] = U"我在再座"[random.below(4)];
  return text;
}

std::vector<Triple> random_triples(std::uint64_t seed, int count) {
  std::vector<Triple> triples;
  for (int i = 0; i < count; ++i) {
    Random random(seed, "triples", i);
    Triple triple;
    triple.target = random_text(random, 1 + random.below(4));
    triple.source = change(random, triple.target);
    const auto kind = random.below(10);
    triple.prediction = kind < 3 ? triple.target : kind < 6 ? triple.source : change(random, triple.source);
    if (kind == 9) triple.prediction += U"了";
    triples.push_back(triple);
  }
  return triples;
}

// The definitions once more, with sets of positions and a list per question.
struct Twin {
  double sentences = 0, positive = 0, changed = 0, right = 0, clean = 0, false_alarm = 0, wrong = 0,
         missed = 0;

  double precision() const { return changed > 0 ? right / changed : 0; }
  double recall() const { return positive > 0 ? right / positive : 0; }
  double f(double beta) const {
    const double p = precision(), r = recall(), b = beta * beta;
    return p + r > 0 ? (1 + b) * p * r / (b * p + r) : 0;
  }
};

std::set<std::size_t> differing(const std::u32string& a, const std::u32string& b) {
  std::set<std::size_t> positions;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b.at(i)) positions.insert(i);
  }
  return positions;
}

Twin count(const std::vector<Triple>& triples, bool detection) {
  Twin twin;
  for (const auto& [s, t, p] : triples) {
    bool right = p == t;
    if (detection) right = p.size() == s.size() && differing(s, p) == differing(s, t);
    twin.sentences += 1;
    twin.positive += s != t;
    twin.changed += p != s;
    twin.right += s != t && right;
    twin.clean += s == t;
    twin.false_alarm += s == t && p != s;
    twin.wrong += s != t && p != s && !right;
    twin.missed += s != t && p == s;
  }
  return twin;
}

void expect_equal(const OutcomeCounts& counts, const Twin& twin) {
  EXPECT_EQ(counts.tp, twin.right);
  EXPECT_EQ(counts.fp, twin.false_alarm);
  EXPECT_EQ(counts.fn, twin.missed);
  EXPECT_EQ(counts.wp, twin.wrong);
  EXPECT_EQ(counts.tn, twin.clean - twin.false_alarm);
  EXPECT_NEAR(counts.precision(), twin.precision(), 1e-14);
  EXPECT_NEAR(counts.recall(), twin.recall(), 1e-14);
  EXPECT_NEAR(counts.f1(), twin.f(1), 1e-14);
  EXPECT_NEAR(counts.f2(), twin.f(2), 1e-14);
  EXPECT_NEAR(counts.fpr(), twin.clean > 0 ? twin.false_alarm / twin.clean : 0, 1e-14);
  EXPECT_NEAR(counts.wpr(), twin.positive > 0 ? twin.wrong / twin.positive : 0, 1e-14);
}

TEST(Score, EqualsTheTwinOnRandomTriples) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const auto triples = random_triples(seed, static_cast<int>(seed * seed) / 4 + 1);
    CscMetrics metrics;
    for (const Triple& triple : triples) metrics.add(triple);
    EXPECT_EQ(metrics.sentences, static_cast<std::int64_t>(triples.size()));
    expect_equal(metrics.correction, count(triples, false));
    expect_equal(metrics.detection, count(triples, true));
  }
}

TEST(Score, PartsAddUp) {
  const auto triples = random_triples(99, 300);
  CscMetrics whole;
  std::array<CscMetrics, 3> parts;
  for (std::size_t i = 0; i < triples.size(); ++i) {
    whole.add(triples[i]);
    parts[i % 3].add(triples[i]);
  }
  CscMetrics sum;
  for (const CscMetrics& part : parts) sum += part;
  EXPECT_EQ(sum, whole);
  EXPECT_EQ(to_json(sum).dump(), to_json(whole).dump());
}

TEST(Score, Outcomes) {
  EXPECT_EQ(correction_outcome(U"我座在", U"我坐在", U"我坐在"), Outcome::kTruePositive);
  EXPECT_EQ(correction_outcome(U"我座在", U"我坐在", U"我做在"), Outcome::kWrongPositive);
  EXPECT_EQ(detection_outcome(U"我座在", U"我坐在", U"我做在"), Outcome::kTruePositive);  // found, not mended
  EXPECT_EQ(detection_outcome(U"我座在", U"我坐在", U"你坐在"), Outcome::kWrongPositive);
  EXPECT_EQ(correction_outcome(U"我座在", U"我坐在", U"我座在"), Outcome::kFalseNegative);
  EXPECT_EQ(correction_outcome(U"我坐在", U"我坐在", U"我座在"), Outcome::kFalsePositive);
  EXPECT_EQ(detection_outcome(U"我坐在", U"我坐在", U"我坐在"), Outcome::kTrueNegative);
  EXPECT_EQ(detection_outcome(U"我座在", U"我坐在", U"我坐在了"), Outcome::kWrongPositive);
  EXPECT_EQ(correction_outcome(U"我坐在", U"我坐在", U""), Outcome::kFalsePositive);
}

TEST(Score, NothingGivesZeros) {
  const auto json = to_json(CscMetrics{});
  for (const char* level : {"correction", "detection"}) {
    for (const char* name : {"precision", "recall", "f1", "f2", "fpr", "wpr"}) {
      EXPECT_EQ(json[level][name].get<double>(), 0.0) << level << name;
    }
  }
}

class TriplesFile : public testing::Test {
 protected:
  std::vector<Triple> read(const std::string& text) {
    write_file_atomic(path_, text);
    return read_triples(path_);
  }
  // What the reader says of a wrong file.
  std::string complaint(const std::string& text) {
    return input_error_of([&] { read(text); });
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("relmpi_score_test." + std::to_string(::getpid()));
};

TEST_F(TriplesFile, SpacesOnlySeparate) {
  const auto triples = read("\xEF\xBB\xBF我 座 在\t我坐在\t我 坐在\r\na b\tab\t\n");
  ASSERT_EQ(triples.size(), 2u);
  EXPECT_EQ(triples[0].source, U"我座在");
  EXPECT_EQ(triples[0].prediction, U"我坐在");
  EXPECT_EQ(triples[1].source, U"ab");
  EXPECT_EQ(triples[1].prediction, U"");
}

TEST_F(TriplesFile, WrongLinesAreNamed) {
  const std::string good = "我\t我\t我\n";
  const std::string second = path_.string() + ":2: ";
  EXPECT_EQ(complaint(good + "我\t我\n").find(second + "2 field(s)"), 0u);
  EXPECT_EQ(complaint(good + "我\t我\t我\t我\n").find(second + "4 field(s)"), 0u);
  EXPECT_EQ(complaint(good + "\n").find(second + "1 field(s)"), 0u);
  EXPECT_EQ(complaint(good + "我\t我\t\xFF\n").find(second + "field 3 is not valid UTF-8"), 0u);
  EXPECT_EQ(complaint(good + " \t我\t我\n").find(second + "the source is empty"), 0u);
  EXPECT_EQ(complaint(good + "我们\t我\t我\n").find(second + "the source has 2 characters and the target 1"),
            0u);
  EXPECT_NE(complaint("").find("empty"), std::string::npos);
}

}  // namespace
}  // namespace relmpi
