#include "eval/decisions/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "tests/eval/golden.h"

namespace relmpi {
namespace {

TEST(Statistics, McNemarEqualsExactFractions) {
  for (const auto& json : golden_cases("statistics_golden.json", "mcnemar")) {
    const auto only_a = json["only_a"].get<std::int64_t>();
    const auto only_b = json["only_b"].get<std::int64_t>();
    const double p = json["p"].get<double>();
    EXPECT_NEAR(mcnemar_exact(only_a, only_b), p, 1e-11 * p) << json.dump();
    EXPECT_EQ(mcnemar_exact(only_a, only_b), mcnemar_exact(only_b, only_a));
  }
  // Far out the normal approximation with continuity correction holds: z = (|b - c| - 1) / sqrt(b + c).
  const double z = (505000.0 - 495000.0 - 1) / std::sqrt(1e6);
  EXPECT_NEAR(mcnemar_exact(495000, 505000) / std::erfc(z / std::sqrt(2.0)), 1.0, 1e-3);
}

TEST(Statistics, HolmEqualsItsDefinition) {
  for (const auto& json : golden_cases("statistics_golden.json", "holm")) {
    const auto adjusted = holm(json["p"].get<std::vector<double>>());
    ASSERT_EQ(adjusted.size(), json["adjusted"].size());
    for (std::size_t i = 0; i < adjusted.size(); ++i) {
      EXPECT_NEAR(adjusted[i], json["adjusted"][i].get<double>(), 1e-14);
    }
  }
  EXPECT_TRUE(holm({}).empty());
}

TEST(Statistics, AurocAndCalibrationErrorEqualTheirDefinitions) {
  for (const auto& json : golden_cases("statistics_golden.json", "samples")) {
    const auto scores = json["scores"].get<std::vector<double>>();
    const auto labels = json["labels"].get<std::vector<int>>();
    EXPECT_NEAR(auroc(scores, labels).value(), json["auroc"].get<double>(), 1e-14);
    EXPECT_NEAR(expected_calibration_error(scores, labels).value(), json["ece"].get<double>(), 1e-14);
  }
  const std::vector<double> scores = {0.1, 0.9};
  const std::vector<int> ones = {1, 1};
  EXPECT_FALSE(auroc(scores, ones).has_value());
  EXPECT_FALSE(expected_calibration_error({}, {}).has_value());
}

TEST(Statistics, BootstrapEqualsTheReimplementation) {
  for (const auto& json : golden_cases("statistics_golden.json", "bootstrap")) {
    BootstrapOptions options;
    options.seed = json["seed"].get<std::uint64_t>();
    const auto values = json["values"].get<std::vector<double>>();
    const Interval interval = bootstrap_mean(values, json["purpose"].get<std::string>(), options);
    EXPECT_NEAR(interval.low, json["interval"][0].get<double>(), 1e-14);
    EXPECT_NEAR(interval.high, json["interval"][1].get<double>(), 1e-14);
  }
}

// The 95% interval of the mean of many values is about mean +- 1.96 sd / sqrt(n), and depends on seed and
// purpose.
TEST(Statistics, BootstrapOfManyValues) {
  std::vector<double> values;
  Random random(5, "values");
  for (int i = 0; i < 2000; ++i) values.push_back(random.uniform() < 0.3 ? 1.0 : 0.0);
  const double centre = mean(values);
  const double half = 1.96 * std::sqrt(centre * (1 - centre) / 2000);
  const Interval interval = bootstrap_mean(values, "a");
  EXPECT_NEAR(interval.low, centre - half, 0.1 * half);
  EXPECT_NEAR(interval.high, centre + half, 0.1 * half);
  EXPECT_EQ(bootstrap_mean(values, "a").low, interval.low);
  const Interval other = bootstrap_mean(values, "b");
  EXPECT_TRUE(other.low != interval.low || other.high != interval.high);

  const std::vector<double> same(50, 0.25);
  EXPECT_EQ(bootstrap_mean(same, "a").low, 0.25);
  EXPECT_EQ(bootstrap_mean(same, "a").high, 0.25);
}

TEST(Statistics, QuantilesInterpolate) {
  const std::vector<double> sorted = {1, 2, 4, 8, 16};
  EXPECT_DOUBLE_EQ(quantile_of_sorted(sorted, 0), 1);
  EXPECT_DOUBLE_EQ(quantile_of_sorted(sorted, 0.5), 4);
  EXPECT_DOUBLE_EQ(quantile_of_sorted(sorted, 0.9), 12.8);
  EXPECT_DOUBLE_EQ(quantile_of_sorted(sorted, 1), 16);
}

TEST(Statistics, FBeta) {
  // P = 6/8, R = 6/10.
  EXPECT_NEAR(f_beta(6, 8, 10, 1), 2 * 0.75 * 0.6 / (0.75 + 0.6), 1e-15);
  EXPECT_NEAR(f_beta(6, 8, 10, 2), 5 * 0.75 * 0.6 / (4 * 0.75 + 0.6), 1e-15);
  EXPECT_EQ(f_beta(0, 0, 0, 1), 0.0);
  EXPECT_EQ(f_beta(0, 3, 4, 1), 0.0);
}

TEST(Statistics, ParetoFrontEqualsItsDefinition) {
  for (const auto& json : golden_cases("statistics_golden.json", "pareto")) {
    const auto cost = json["cost"].get<std::vector<double>>();
    auto front = pareto_front(cost, json["accuracy"].get<std::vector<double>>());
    EXPECT_TRUE(std::is_sorted(front.begin(), front.end(),
                               [&](std::size_t a, std::size_t b) { return cost[a] < cost[b]; }));
    std::sort(front.begin(), front.end());
    EXPECT_EQ(front, json["front"].get<std::vector<std::size_t>>()) << json.dump();
  }
}

}  // namespace
}  // namespace relmpi
