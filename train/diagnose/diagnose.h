#pragma once

#include <cstdint>
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
  std::optional<std::int64_t> max_memory_allocated;  // bytes of all tensors; of a GPU
  std::optional<double> joules;                      // GPUs that count them

  double total_ms() const;
  double quantile_ms(double q) const;  // of a step
  double per_step(double sum) const { return sum / static_cast<double>(ms.size()); }
  double per_second(double sum) const { return sum / (total_ms() / 1000); }
};

// encoder-inference, encoder-training-fp32, encoder-training, loader, loader-and-encoder, dgca-step.
const std::vector<std::string>& stage_names();

// Runs the stages in this order. Every rank must call it; the weights change as in training.
std::vector<StageResult> run_stages(const DataOptions& data, const StepOptions& step,
                                    const DiagnoseOptions& options, const Setup& setup,
                                    Communicator& communicator, at::Device device);

// Matrix products of `precision` that this device manages a second: the best of several (N, N) x (N, N).
double matmul_peak(at::Device device, const std::string& precision);

}  // namespace relmpi
