#include "eval/decisions/calibration.h"

#include <gtest/gtest.h>

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
    const Calibrator calibrator(scores, labels);
    for (std::size_t i = 0; i < json["levels"].size(); ++i) {
      EXPECT_NEAR(calibrator.apply(json["levels"][i].get<double>()), json["isotonic"][i].get<double>(),
                  1e-14);
    }
  }
}

TEST(Calibration, IsotonicJoinsPoolsByLines) {
  const std::vector<double> scores = {0, 0, 1, 2, 4, 5};
  const std::vector<int> labels = {0, 1, 1, 0, 1, 1};  // pools: [0: 1/2, 1, 2 -> (1+1+0)/4 = 1/2], [4, 5: 1]
  const Calibrator calibrator(scores, labels);
  EXPECT_DOUBLE_EQ(calibrator.apply(-3), 0.5);
  EXPECT_DOUBLE_EQ(calibrator.apply(1.7), 0.5);
  EXPECT_DOUBLE_EQ(calibrator.apply(3), 0.75);
  EXPECT_DOUBLE_EQ(calibrator.apply(9), 1.0);
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
  const Calibrator calibrator(scores, labels);
  std::vector<double> calibrated;
  for (double score : scores) calibrated.push_back(calibrator.apply(score));
  EXPECT_LT(expected_calibration_error(calibrated, labels).value(), 0.3 * before);
}

TEST(Calibration, RefusesWhatItCannotFit) {
  const std::vector<double> nan = {std::numeric_limits<double>::quiet_NaN()};
  const std::vector<double> half = {0.5};
  const std::vector<int> one = {1};
  const std::vector<int> two = {2};
  EXPECT_THROW(Calibrator({}, {}), InputError);
  EXPECT_THROW(Calibrator(nan, one), InputError);
  EXPECT_THROW(Calibrator(half, two), InputError);
}

}  // namespace
}  // namespace relmpi
