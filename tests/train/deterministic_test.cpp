#include "train/deterministic.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/torch_headers.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

constexpr const char* kWorkspace = "CUBLAS_WORKSPACE_CONFIG";

// Leaves the process as it was.
class Deterministic : public ::testing::Test {
 protected:
  Deterministic() { ::unsetenv(kWorkspace); }
  ~Deterministic() override {
    ::unsetenv(kWorkspace);
    at::Context& context = at::globalContext();
    context.setDeterministicAlgorithms(false, false);
    context.setDeterministicCuDNN(false);
    context.setDeterministicFillUninitializedMemory(true);
  }
};

TEST_F(Deterministic, ReachesLibtorchAndCublas) {
  compute_deterministically();
  EXPECT_STREQ(std::getenv(kWorkspace), ":4096:8");
  const at::Context& context = at::globalContext();
  EXPECT_TRUE(context.deterministicAlgorithms());
  EXPECT_FALSE(context.deterministicAlgorithmsWarnOnly());
  EXPECT_TRUE(context.deterministicCuDNN());
  EXPECT_FALSE(context.deterministicFillUninitializedMemory());
}

// put_ is one of them on every device.
TEST_F(Deterministic, AnOperatorWithoutAFixedOrderThrows) {
  const at::Tensor x = at::zeros({3}), index = at::zeros({2}, at::kLong), source = at::ones({2});
  EXPECT_NO_THROW(x.put_(index, source));
  compute_deterministically();
  EXPECT_THROW(x.put_(index, source), c10::Error);
}

TEST_F(Deterministic, KeepsTheUsersCublasSettingOrRefusesIt) {
  ::setenv(kWorkspace, ":16:8", 1);
  compute_deterministically();
  EXPECT_STREQ(std::getenv(kWorkspace), ":16:8");
  ::setenv(kWorkspace, ":0:0", 1);
  EXPECT_NE(input_error_of(&compute_deterministically).find("CUBLAS_WORKSPACE_CONFIG=:0:0"),
            std::string::npos);
}

}  // namespace
}  // namespace relmpi
