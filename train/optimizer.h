#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "model/dgca/parameters.h"
#include "train/options.h"

namespace relmpi {

// lr as a share of its peak at step `step` of `total` (both from 0): linear warm-up over the first `warmup`
// share, then down to 0 linearly or along a cosine, or constant.
double schedule_factor(Schedule schedule, std::int64_t step, std::int64_t total, double warmup);

// AdamW (Loshchilov, Hutter 2019) with clipping by global norm, and, in fp16, dynamic loss scaling. Works on
// the flat tensors; decay is left off biases and LayerNorm. Nothing here waits for the device: whether
// gradients are finite, and what follows from it, stays there as a number.
class Optimizer {
 public:
  Optimizer(Parameters& parameters, const StepOptions& options);

  // What losses are multiplied with before the backward pass: a device scalar, 1 unless fp16.
  const at::Tensor& loss_scale() const { return scale_; }
  // One step with the gradients in the parameters' flat tensor, which are scaled by loss_scale(). Skipped on
  // the device if a gradient is not finite.
  void step(double lr);

  at::Tensor grad_norm() const { return norm_; }        // device scalar: norm before clipping, last step
  at::Tensor skipped() const { return skipped_; }       // device scalar: steps skipped in all
  at::Tensor skipped_row() const { return in_a_row_; }  // device scalar: skipped in a row until now

  // For checkpoints: flat moments in the layout of the parameters, and the scalars.
  at::Tensor first_moment() const { return exp_avg_; }
  at::Tensor second_moment() const { return exp_avg_sq_; }
  std::vector<std::pair<std::string, at::Tensor>> scalars() const;

 private:
  struct Group {
    std::vector<at::Tensor> leaves, grads, exp_avgs, exp_avg_sqs, steps;
    double weight_decay;
  };

  Parameters& parameters_;
  const StepOptions options_;
  bool dynamic_scale_;
  at::Tensor exp_avg_, exp_avg_sq_, steps_, scale_, growth_, norm_, found_inf_, skipped_, in_a_row_;
  std::vector<Group> groups_;
};

}  // namespace relmpi
