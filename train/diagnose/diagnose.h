#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "dist/ranks/communicator.h"
#include "train/options.h"
#include "train/run_setup.h"

namespace relmpi {

// Where the time of a training step goes: six stages on the same batches (INTERFACES `diagnose`).
struct DiagnoseOptions {
  std::int64_t steps = 20;          // measured, of each stage
  std::int64_t warmup = 3;          // before them, not measured
  std::vector<std::string> stages;  // names; empty = all
  std::string trace;                // file for a timeline of two more steps; empty = none

  // Throws InputError naming the option.
  void validate() const;
};

// One stage on one rank. Sums run over the measured steps.
struct StageResult {
  std::string name;
  std::vector<double> ms;  // wall-clock time of each step
  double cpu_ms = 0;       // CPU time of the process, all threads
  std::int64_t sentences = 0;
  std::int64_t tokens = 0;  // slots without padding
  double flops = 0;         // of matrix products; 0 for the loader
  std::string precision;    // of those
  double data_wait_ms = 0;
  double comm_wait_ms = 0;
  std::int64_t bytes_reduced = 0;
  std::int64_t peak_memory = 0;  // bytes of tensors above those of model, moments and gradients
  std::optional<double> joules;  // GPUs that count them
};

// encoder-inference, encoder-training-fp32, encoder-training, loader, loader-and-encoder, dgca-step.
const std::vector<std::string>& stage_names();

// Runs the stages in this order. Every rank must call it; the weights change as in training.
std::vector<StageResult> run_stages(const TrainOptions& training, const DiagnoseOptions& options,
                                    const Setup& setup, Communicator& communicator, at::Device device);

// Matrix products of `precision` that this device manages a second: the best of several (N, N) x (N, N).
double matmul_peak(at::Device device, const std::string& precision);

// {"stages":[{"name","ms":{"median","p10","p90"},...}],"finding":...} of one rank's results.
nlohmann::ordered_json diagnose_report(const std::vector<StageResult>& stages, at::Device device);
// The report as a table and the sentence that names the bottleneck.
std::string diagnose_text(const nlohmann::ordered_json& report);

}  // namespace relmpi
