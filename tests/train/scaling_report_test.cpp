#include "train/scaling_report.h"

#include <gtest/gtest.h>

namespace relmpi {
namespace {

ScalingMeasure measure(double step, double waiting) {
  return {.ranks = 2,
          .global_batch = 64,
          .step_seconds = step,
          .waiting_seconds = waiting,
          .reduce_seconds = 0.5,
          .bytes = 1000};
}

TEST(ScalingReport, IsTheShareOfTheStepThatComputes) {
  const ScalingEstimate good = estimate_scaling(measure(1.0, 0.05));
  EXPECT_DOUBLE_EQ(good.efficiency, 0.95);
  EXPECT_DOUBLE_EQ(good.speed_up, 1.9);
  EXPECT_EQ(good.batch_for_90, 64);
  EXPECT_FALSE(good.poor());
  // 0.4 s of arithmetic, 0.6 s of waiting: 13.5 times the arithmetic would make 0.9 of it.
  const ScalingEstimate bad = estimate_scaling(measure(1.0, 0.6));
  EXPECT_NEAR(bad.efficiency, 0.4, 1e-12);
  EXPECT_NEAR(bad.speed_up, 0.8, 1e-12);
  EXPECT_EQ(bad.batch_for_90, 864);
  EXPECT_TRUE(bad.poor());
}

TEST(ScalingReport, SaysWhatToDoWhereLittleIsGained) {
  const auto text = [](double waiting) {
    return describe_scaling(measure(1.0, waiting), estimate_scaling(measure(1.0, waiting)));
  };
  EXPECT_EQ(text(0.1).find("Try"), std::string::npos);
  EXPECT_NE(text(0.3).find("1.40 times one rank alone"), std::string::npos) << text(0.3);
  EXPECT_NE(text(0.6).find("SLOWER than one rank alone (0.80 times"), std::string::npos) << text(0.6);
  EXPECT_NE(text(0.6).find("--global-batch 864"), std::string::npos) << text(0.6);
}

}  // namespace
}  // namespace relmpi
