#include "dist/devices/peak_memory.h"

#include <gtest/gtest.h>

#include "base/torch_headers.h"
#include "dist/devices/energy.h"

namespace relmpi {
namespace {

constexpr std::int64_t kMega = 1 << 20;

TEST(PeakMemory, CountsTheMostAliveAtOnceAndNotTheSum) {
  const at::Tensor before = at::empty({kMega}, at::kByte);  // not counted
  PeakMemory memory(at::kCPU);
  at::Tensor kept = at::empty({2 * kMega}, at::kByte);
  for (int i = 0; i < 5; ++i) at::empty({3 * kMega}, at::kByte);
  EXPECT_GE(memory.bytes(), 5 * kMega);
  EXPECT_LT(memory.bytes(), 5 * kMega + kMega / 2);
  memory.reset();
  kept = at::Tensor();
  at::empty({kMega}, at::kByte);
  EXPECT_LT(memory.bytes(), kMega);  // less than at the reset
}

TEST(PeakMemory, SeesTheBackwardPass) {
  const at::Tensor x = at::ones({kMega / 4}).requires_grad_(true);
  PeakMemory memory(at::kCPU);
  x.pow(2).sum().backward();
  EXPECT_GE(memory.bytes(), 2 * kMega);  // the square, and its gradient
}

TEST(EnergyMeter, HasNoNumberWithoutAGpu) { EXPECT_FALSE(EnergyMeter(at::kCPU).joules().has_value()); }

}  // namespace
}  // namespace relmpi
