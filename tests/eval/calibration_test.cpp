#include "eval/decisions/calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "eval/decisions/statistics.h"
#include "tests/eval/golden.h"

namespace relmpi {
namespace {

TEST(Calibration, IsotonicEqualsTheMaxMinFormula) {
  for (const auto& json : golden_cases("statistics_golden.json", "samples")) {
    const auto scores = json["scores"].get<std::vector<double>>();
    const auto labels = json["labels"].get<std::vector<int>>();
    const auto calibrator = Calibrator::fit(CalibrationKind::kIsotonic, scores, labels);
    for (std::size_t i = 0; i < json["levels"].size(); ++i) {
      EXPECT_NEAR(calibrator.apply(json["levels"][i].get<double>()), json["isotonic"][i].get<double>(),
                  1e-14);
    }
  }
}

TEST(Calibration, IsotonicJoinsPoolsByLines) {
  const std::vector<double> scores = {0, 0, 1, 2, 4, 5};
  const std::vector<int> labels = {0, 1, 1, 0, 1, 1};  // pools: [0: 1/2, 1, 2 -> (1+1+0)/4 = 1/2], [4, 5: 1]
  const auto calibrator = Calibrator::fit(CalibrationKind::kIsotonic, scores, labels);
  EXPECT_DOUBLE_EQ(calibrator.apply(-3), 0.5);
  EXPECT_DOUBLE_EQ(calibrator.apply(1.7), 0.5);
  EXPECT_DOUBLE_EQ(calibrator.apply(3), 0.75);
  EXPECT_DOUBLE_EQ(calibrator.apply(9), 1.0);
}

// With two distinct scores the fitted probabilities are the groups' shares, but for the ridge.
TEST(Calibration, LogisticOfTwoGroups) {
  std::vector<double> scores;
  std::vector<int> labels;
  for (int i = 0; i < 1000; ++i) {
    scores.push_back(i % 2 == 0 ? 100 : 103);
    labels.push_back(i % 2 == 0 ? i % 10 == 0 : i % 4 == 1);  // shares 1/5 and 1/2
  }
  const auto calibrator = Calibrator::fit(CalibrationKind::kLogistic, scores, labels);
  EXPECT_NEAR(calibrator.apply(100), 0.2, 1e-5);
  EXPECT_NEAR(calibrator.apply(103), 0.5, 1e-5);
}

TEST(Calibration, LogisticRecoversItsModel) {
  std::vector<double> scores;
  std::vector<int> labels;
  Random random(3, "logistic");
  for (int i = 0; i < 20000; ++i) {
    scores.push_back(4 * random.uniform() - 1);
    labels.push_back(random.uniform() < 1 / (1 + std::exp(0.7 - 1.5 * scores.back())));
  }
  const auto json = Calibrator::fit(CalibrationKind::kLogistic, scores, labels).to_json();
  EXPECT_NEAR(json["slope"].get<double>(), 1.5, 0.1);
  EXPECT_NEAR(json["intercept"].get<double>(), -0.7, 0.1);
}

TEST(Calibration, LogisticOfSeparableLabelsIsFinite) {
  const std::vector<double> scores = {0.1, 0.2, 0.8, 0.9};
  const std::vector<int> labels = {0, 0, 1, 1};
  const auto calibrator = Calibrator::fit(CalibrationKind::kLogistic, scores, labels);
  EXPECT_LT(calibrator.apply(0.2), 0.1);
  EXPECT_GT(calibrator.apply(0.8), 0.9);
  EXPECT_TRUE(std::isfinite(calibrator.to_json()["slope"].get<double>()));
  const std::vector<int> ones = {1, 1, 1, 1};
  EXPECT_GT(Calibrator::fit(CalibrationKind::kLogistic, scores, ones).apply(0.5), 0.99);
}

TEST(Calibration, LowersTheCalibrationError) {
  std::vector<double> scores;
  std::vector<int> labels;
  Random random(8, "overconfident");
  for (int i = 0; i < 4000; ++i) {
    scores.push_back(random.uniform());
    labels.push_back(random.uniform() < 0.3 + 0.4 * scores.back());
  }
  const double before = expected_calibration_error(scores, labels).value();
  for (CalibrationKind kind : {CalibrationKind::kIsotonic, CalibrationKind::kLogistic}) {
    const auto calibrator = Calibrator::fit(kind, scores, labels);
    std::vector<double> calibrated;
    for (double score : scores) calibrated.push_back(calibrator.apply(score));
    EXPECT_LT(expected_calibration_error(calibrated, labels).value(), 0.3 * before);
  }
}

TEST(Calibration, RoundTripsThroughJson) {
  const std::vector<double> scores = {0.3, 0.1, 0.7, 0.5, 0.9};
  const std::vector<int> labels = {0, 0, 1, 1, 0};
  for (CalibrationKind kind : {CalibrationKind::kIsotonic, CalibrationKind::kLogistic}) {
    const auto calibrator = Calibrator::fit(kind, scores, labels);
    const auto again = Calibrator::from_json(nlohmann::json::parse(calibrator.to_json().dump()));
    for (double score = -0.5; score < 1.5; score += 0.05)
      EXPECT_EQ(again.apply(score), calibrator.apply(score));
    EXPECT_EQ(again.kind(), kind);
  }
  EXPECT_THROW(Calibrator::from_json({{"kind", "spline"}}), InputError);
  EXPECT_THROW(Calibrator::from_json({{"kind", "isotonic"}, {"scores", {1, 1}}, {"probabilities", {0, 1}}}),
               InputError);
}

TEST(Calibration, RefusesWhatItCannotFit) {
  const std::vector<double> nan = {std::numeric_limits<double>::quiet_NaN()};
  const std::vector<double> half = {0.5};
  const std::vector<int> one = {1};
  const std::vector<int> two = {2};
  EXPECT_THROW(Calibrator::fit(CalibrationKind::kIsotonic, {}, {}), InputError);
  EXPECT_THROW(Calibrator::fit(CalibrationKind::kLogistic, nan, one), InputError);
  EXPECT_THROW(Calibrator::fit(CalibrationKind::kIsotonic, half, two), InputError);
}

}  // namespace
}  // namespace relmpi
