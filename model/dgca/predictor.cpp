#include "model/dgca/predictor.h"

#include <ATen/ATen.h>

namespace relmpi {

Heads forward(const Weights& weights, const ModelConfig& config, const Inputs& inputs,
              const at::Tensor& prompt, const at::Tensor& table, Mode mode) {
  return run_heads(weights, config, inputs, encode(weights, config, inputs, prompt, mode), table, mode);
}

Predictor::Predictor(const Model& model, at::ScalarType dtype)
    : model_(model), table_(model.candidate_table()) {
  const at::NoGradGuard no_grad;
  model.parameters->keep_copy(dtype);
  weights_ = make_weights(*model_.parameters, model_.config, dtype);
  if (model_.config.prompt_length > 0) prompt_ = prompt_vectors(*model_.parameters);
}

Predictions Predictor::predict(const Inputs& inputs, Gating gating) const {
  const at::NoGradGuard no_grad;
  const Heads heads = forward(weights_, model_.config, inputs, prompt_, table_, Mode::kEvaluate);
  return relmpi::predict(weights_, model_.config, inputs, heads, gating);
}

Predictions Predictor::predict(const Inputs& inputs, const LossOptions& options, LossSums& sums) const {
  const at::NoGradGuard no_grad;
  const Heads heads = forward(weights_, model_.config, inputs, prompt_, table_, Mode::kEvaluate);
  sums = loss_sums(weights_, model_.config, inputs, heads, options);
  return relmpi::predict(weights_, model_.config, inputs, heads, Gating::kModel);
}

}  // namespace relmpi
