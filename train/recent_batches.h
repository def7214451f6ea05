#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "data/loader/loader.h"

namespace relmpi {

// This rank's batches since the last log line, so that a loss that is not finite can be traced to its
// sentences later: looking at each step would make the host wait for the device.
class RecentBatches {
 public:
  // `sums`: the loss sums of each micro-batch, on the device.
  void add(std::int64_t step, const StepBatches& batches, const std::vector<at::Tensor>& sums);

  // A line for each micro-batch whose loss sums hold NaN or infinity: "step 12, epoch 0: sentences 3 17 20".
  // Waits for the device.
  std::vector<std::string> not_finite() const;
  void clear() { batches_.clear(); }

 private:
  struct Entry {
    std::int64_t step = 0, epoch = 0;
    std::vector<std::int64_t> sentences;
    at::Tensor sums;
  };
  std::vector<Entry> batches_;
};

}  // namespace relmpi
