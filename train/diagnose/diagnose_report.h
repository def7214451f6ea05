#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "train/diagnose/diagnose.h"

namespace relmpi {

// What the stages of one rank say.
struct DiagnoseReport {
  std::string device;
  std::map<std::string, double> matmul_peaks;  // FLOP/s by precision
  std::vector<StageResult> stages;

  // The stage's matrix products as a share of what the device can do.
  double matmul_share(const StageResult& stage) const;
  // One plain sentence: what takes the time, and what to try.
  std::string finding() const;
  nlohmann::ordered_json to_json() const;
  // The stages as a table, and the finding.
  std::string to_text() const;
};

// Measures the peaks of the precisions that the stages used.
DiagnoseReport diagnose_report(std::vector<StageResult> stages, at::Device device);

}  // namespace relmpi
