#include "train/scaling_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace relmpi {
ScalingEstimate estimate_scaling(const ScalingMeasure& m) {
  ScalingEstimate out;
  const double waiting = std::min(m.waiting_seconds, m.step_seconds);
  const double compute = m.step_seconds - waiting;
  out.efficiency = compute / m.step_seconds;
  out.speed_up = m.ranks * out.efficiency;
  // compute * factor / (compute * factor + waiting) = 0.9
  const double factor = compute > 0 ? std::max(1.0, 9 * waiting / compute) : 1.0;
  out.batch_for_90 = static_cast<std::int64_t>(std::ceil(factor * static_cast<double>(m.global_batch)));
  return out;
}

std::string describe_scaling(const ScalingMeasure& m, const ScalingEstimate& e) {
  std::string text = fmt::format(
      "{} ranks: {:.1f} ms a step, {:.1f} ms of it waiting for the gradients of other ranks ({:.1f} MB, "
      "{:.1f} ms where "
      "nothing else goes on): {:.0f} % of {} times one rank's speed",
      m.ranks, 1e3 * m.step_seconds, 1e3 * m.waiting_seconds, static_cast<double>(m.bytes) / 1e6,
      1e3 * m.reduce_seconds, 100 * e.efficiency, m.ranks);
  if (!e.poor()) return text;
  text += e.speed_up < 1
              ? fmt::format(". That is SLOWER than one rank alone ({:.2f} times its speed)", e.speed_up)
              : fmt::format(", {:.2f} times one rank alone", e.speed_up);
  return text +
         fmt::format(
             ". Try --global-batch {} (about 90 %), --precision bf16 or fp16 (half the bytes), fewer ranks; "
             "relmpi-doctor allreduce tests the interconnect",
             e.batch_for_90);
}

}  // namespace relmpi
