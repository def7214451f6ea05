#pragma once

#include <cstdint>
#include <string>

namespace relmpi {

// What several ranks gain, from one log interval of a running job.
struct ScalingMeasure {
  int ranks = 1;
  std::int64_t global_batch = 0;
  double step_seconds = 0;     // of a step
  double waiting_seconds = 0;  // of it: waiting for gradients of other ranks
  double reduce_seconds = 0;   // all-reduce of one step's gradients with nothing else going on
  std::int64_t bytes = 0;      // of one step's gradients
};

struct ScalingEstimate {
  double efficiency = 0;  // speed over (ranks x the speed of one rank with its part of the batch), at most 1
  double speed_up = 0;    // over one rank that does the whole global batch alone
  bool poor() const { return efficiency < 0.8; }
  std::int64_t batch_for_90 = 0;  // global batch at which the efficiency would be 0.9
};

// A step is arithmetic, which grows with the batch, and waiting, which does not: efficiency = compute /
// (compute + waiting), compute = step - waiting.
ScalingEstimate estimate_scaling(const ScalingMeasure& measure);

// "4 ranks: 120.0 ms a step, ...: 93 % of 4 times one rank's speed", with what to do if it is little.
std::string describe_scaling(const ScalingMeasure& measure, const ScalingEstimate& estimate);

}  // namespace relmpi
