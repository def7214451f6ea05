#include "train/diagnose/diagnose_report.h"

#include <ATen/record_function.h>
#include <gtest/gtest.h>

#include "base/torch_headers.h"

namespace relmpi {
namespace {

// Ten steps of 1 s, in which the matrix products reach half of what the device can do.
DiagnoseReport report() {
  StageResult step{.name = "dgca-step", .ms = std::vector<double>(10, 1000.0), .precision = "fp32"};
  step.sentences = 20;
  step.flops = 10 * 0.5e9;
  return {.device = "cpu", .matmul_peaks = {{"fp32", 1e9}}, .stages = {step}};
}

TEST(DiagnoseReport, DividesSumsByTimeAndSteps) {
  DiagnoseReport one = report();
  one.stages[0].ms = {1, 2, 3, 4};
  one.stages[0].flops = 1e6;
  one.stages[0].joules = 0.5;
  const auto json = one.to_json();
  const auto& stage = json["stages"][0];
  EXPECT_EQ(stage["ms"]["median"], 2.5);
  EXPECT_EQ(stage["ms"]["total"], 10);
  EXPECT_DOUBLE_EQ(stage["samples_per_s"], 2000);
  EXPECT_DOUBLE_EQ(stage["matmul_share"], 0.1);
  EXPECT_DOUBLE_EQ(stage["watts"], 50);
  EXPECT_DOUBLE_EQ(stage["joules_per_sample"], 0.025);
  EXPECT_EQ(json["finding"], one.finding());
  EXPECT_NE(one.to_text().find("10.0 %"), std::string::npos) << one.to_text();
}

TEST(DiagnoseReport, AStageWithoutMatrixProductsHasNoShare) {
  DiagnoseReport one = report();
  one.stages[0].flops = 0;
  one.stages[0].name = "loader";
  EXPECT_FALSE(one.to_json()["stages"][0].contains("matmul_share"));
  EXPECT_NE(one.finding().find("dgca-step"), std::string::npos);
}

TEST(DiagnoseReport, TheFindingNamesWhatTakesTheTime) {
  const auto starts = [](const DiagnoseReport& one, const std::string& words) {
    return one.finding().starts_with(words) ? ::testing::AssertionSuccess()
                                            : ::testing::AssertionFailure() << one.finding();
  };
  EXPECT_TRUE(starts(report(), "The encoder's matrix products take the time, at 50 %"));
  DiagnoseReport small = report();
  small.stages[0].flops /= 2;
  EXPECT_TRUE(starts(small, "The encoder takes the time, but reaches only 25 %"));
  DiagnoseReport heads = report();
  heads.stages.push_back({.name = "encoder-training", .ms = {600, 600}});
  EXPECT_TRUE(starts(heads, "Heads and losses take 40 %"));
  DiagnoseReport ranks = report();
  ranks.stages[0].comm_wait_ms = 2000;
  EXPECT_TRUE(starts(ranks, "Waiting for the other ranks takes 20 %"));
  ranks.stages[0].data_wait_ms = 3000;
  EXPECT_TRUE(starts(ranks, "Waiting for data takes 30 %"));
}

// The greatest difference between two elements of what at::matmul_out was given since it was made.
class Operands {
 public:
  Operands()
      : handle_(at::addThreadLocalCallback(
            at::RecordFunctionCallback(&see).needsInputs(true).scopes({at::RecordScope::FUNCTION}))) {
    spreads_.clear();
  }
  ~Operands() { at::removeCallback(handle_); }
  const std::vector<double>& spreads() const { return spreads_; }

 private:
  static std::unique_ptr<at::ObserverContext> see(const at::RecordFunction& operation) {
    if (std::string_view(operation.name()) == "aten::matmul")
      for (const c10::IValue& input : operation.inputs().slice(0, 2)) {
        const at::Tensor x = input.toTensor().flatten().narrow(0, 0, 64).to(at::kFloat);
        spreads_.push_back((x.max() - x.min()).item<double>());
      }
    return nullptr;
  }

  inline static std::vector<double> spreads_;
  at::CallbackHandle handle_;
};

// A GPU multiplies constant matrices faster than a training's.
TEST(MatmulPeak, IsThatOfMatricesWhoseElementsDiffer) {
  const Operands operands;
  EXPECT_GT(matmul_peak(at::kCPU, "fp32"), 0);
  ASSERT_GE(operands.spreads().size(), 2u);
  for (const double spread : operands.spreads()) EXPECT_GT(spread, 1);
}

}  // namespace
}  // namespace relmpi
