#pragma once

#include <c10/core/Device.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dist/ranks/communicator.h"
#include "train/selftest/check.h"

namespace relmpi {

// The checks of relmpi-doctor selftest on `device`: training, decoding and sums against the CPU in fp32 by
// our own operators. On a CPU the other side takes the general path, the operators of a GPU. `ranks` sums
// tensors of the device.
std::vector<Check> selftest_checks(Communicator& ranks, at::Device device);

// By subject.
std::vector<Check> training_checks(at::Device device);
std::vector<Check> decoder_checks(at::Device device);
std::vector<Check> device_checks(at::Device device);
std::vector<Check> rank_checks(Communicator& ranks, at::Device device);

struct SelftestReport {
  std::string device;
  std::vector<CheckResult> checks;  // one each, a fault of any rank first

  int passed() const;
  int failed() const;
  int skipped() const;
};

// Runs them on every rank; the report is complete on rank 0. Every rank must call it.
SelftestReport run_selftest(Communicator& ranks, at::Device device);

nlohmann::json to_json(const SelftestReport& report);
std::string to_text(const SelftestReport& report);

}  // namespace relmpi
