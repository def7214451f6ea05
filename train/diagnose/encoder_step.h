#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "dist/ranks/gradient_reducer.h"
#include "model/dgca/inputs.h"
#include "model/dgca/model_folder.h"
#include "train/optimizer.h"

namespace relmpi {

// The prompt vectors as they are now, (2P, H); undefined without prompts.
at::Tensor fixed_prompt(const Model& model);

// A training step of the encoder alone, towards a fixed random direction: forward, backward, sum over ranks,
// update.
class EncoderStep {
 public:
  EncoderStep(const Model& model, Communicator& communicator, const StepOptions& options);

  void run(const std::vector<Inputs>& micro_batches);
  double seconds_waited() const { return reducer_.seconds_waited(); }

 private:
  const Model& model_;
  at::ScalarType dtype_;
  Optimizer optimizer_;
  GradientReducer reducer_;
  at::Tensor prompt_, direction_;
  double lr_;
};

}  // namespace relmpi
