#pragma once

#include "model/dgca/heads.h"
#include "model/dgca/losses.h"
#include "model/dgca/model_folder.h"
#include "model/dgca/predictions.h"

namespace relmpi {

// One pass of the model over a batch: encoder and heads. `prompt` (2P, H) fp32, undefined without prompts.
Heads forward(const Weights& weights, const ModelConfig& config, const Inputs& inputs,
              const at::Tensor& prompt, const at::Tensor& table, Mode mode);

// A model ready to answer, with the parameters as they are now: prompt vectors are computed once.
class Predictor {
 public:
  Predictor(const Model& model, at::ScalarType dtype);

  Predictions predict(const Inputs& inputs, Gating gating = Gating::kModel) const;
  // The same with the sums of the four losses.
  Predictions predict(const Inputs& inputs, const LossOptions& options, LossSums& sums) const;

  const Model& model() const { return model_; }
  at::Device device() const { return model_.parameters->device(); }

 private:
  const Model& model_;
  Weights weights_;
  at::Tensor prompt_, table_;
};

}  // namespace relmpi
