#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "data/loader/loader.h"
#include "dist/ranks/communicator.h"
#include "dist/ranks/gradient_reducer.h"
#include "model/dgca/graphed_encoder.h"
#include "model/dgca/predictor.h"
#include "train/optimizer.h"
#include "train/options.h"

namespace relmpi {

// What one step leaves behind: loss sums of this rank on the device, counts of the whole global batch on the
// host.
struct StepResult {
  at::Tensor sums;                     // (4) fp32
  std::vector<at::Tensor> micro_sums;  // (4) each, by micro-batch
  LossCounts counts;
  std::int64_t sentences = 0;  // of the global batch
  std::int64_t tokens = 0;     // forward slots without padding, of the global batch
  std::int64_t stop = 0;       // ranks that were asked to stop
};

// One optimiser step: forward and backward over the rank's micro-batches, gradients summed over ranks while
// the backward pass goes on, one update. Sums are divided by the counts of the whole global batch, so the
// result does not depend on how the batch was cut into ranks and micro-batches.
class TrainStep {
 public:
  TrainStep(Model& model, Communicator& communicator, const StepOptions& options);

  // `number` counts steps over the whole run. `stopping` is this rank's wish to stop, shared with all.
  StepResult run(const StepBatches& batches, std::int64_t number, double lr, bool stopping);

  Optimizer& optimizer() { return optimizer_; }
  double seconds_waited() const { return reducer_.seconds_waited(); }
  std::int64_t bytes_reduced() const { return reducer_.bytes_reduced(); }  // sent by this rank, in all

 private:
  MaskMode mask_mode(const ModelConfig& config) const;
  void reduce_counts(StepResult& result);
  at::Tensor backward(const Inputs& inputs, const LossCounts& counts, const at::Tensor& prompt);
  void finish_prompt(const at::Tensor& output, const at::Tensor& leaf);

  Model& model_;
  Communicator& communicator_;
  const StepOptions options_;
  InputBuilder builder_;
  at::Tensor table_;
  at::ScalarType dtype_;
  std::unique_ptr<GraphedEncoder> graphs_;  // null: every pass is launched kernel by kernel
  Optimizer optimizer_;
  GradientReducer reducer_;
};

}  // namespace relmpi
