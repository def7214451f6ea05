#include "train/selftest/selftest.h"

#include <gtest/gtest.h>

#include "base/torch_headers.h"
#include "train/selftest/compared.h"

namespace relmpi {
namespace {

TEST(Selftest, AnyExceptionIsAFaultAndASkipIsNone) {
  const auto of = [](const std::function<std::string()>& check) { return run_check({"name", check}); };
  EXPECT_TRUE(of([] { return "3 steps"; }).ok);
  EXPECT_EQ(of([] { return "3 steps"; }).detail, "3 steps");
  const CheckResult fault = of([]() -> std::string { throw std::runtime_error("CUDA error\nframe #0"); });
  EXPECT_FALSE(fault.ok);
  EXPECT_FALSE(fault.skipped);
  EXPECT_EQ(fault.detail, "CUDA error");
  const CheckResult skipped = of([]() -> std::string { throw Skip("needs a GPU"); });
  EXPECT_TRUE(skipped.skipped);
  EXPECT_FALSE(skipped.ok);
}

TEST(Selftest, AFigureBeyondItsLimitIsAFault) {
  EXPECT_EQ(within("losses differ by", 2e-6, 1e-5), "losses differ by 2.0e-06");
  EXPECT_THROW(within("losses differ by", 2e-5, 1e-5), Fault);
  EXPECT_THROW(within("losses differ by", std::nan(""), 1e-5), Fault);
  EXPECT_NEAR(relative_error(at::tensor({3.0, 4.1}), at::tensor({3.0, 4.0})), 0.1 / 5, 1e-6);
}

TEST(Selftest, TheCpuPassesWhatItCanRun) {
  Communicator alone;
  const SelftestReport report = run_selftest(alone, at::kCPU);
  for (const CheckResult& check : report.checks)
    EXPECT_TRUE(check.ok || check.skipped) << check.name << ": " << check.detail;
  EXPECT_EQ(report.failed(), 0);
  EXPECT_EQ(report.passed(), 7);   // training and decoding in three types, loss scaling
  EXPECT_EQ(report.skipped(), 7);  // what needs a GPU or other ranks
  const auto json = to_json(report);
  EXPECT_EQ(json["passed"], 7);
  EXPECT_EQ(json["checks"].size(), 14U);
  EXPECT_EQ(json["checks"][0]["name"], "training fp32");
  EXPECT_NE(to_text(report).find("7 passed, 0 failed, 7 skipped"), std::string::npos);
}

}  // namespace
}  // namespace relmpi
