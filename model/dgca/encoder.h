#pragma once

#include <ATen/core/Tensor.h>

#include "model/dgca/config.h"
#include "model/dgca/inputs.h"
#include "model/dgca/weights.h"

namespace relmpi {

// Whether dropout is drawn, and from which numbers: at::dropout draws from the device's generator, which the
// caller seeds as a function of (seed, step, micro-batch, rank).
enum class Mode { kTrain, kEvaluate };

// BERT's encoder (Devlin et al. 2019) over embeddings with the prompt vectors put in. `prompt` (2P, H) fp32;
// undefined without prompts. Returns hidden states (B * S, H) in the compute dtype.
at::Tensor encode(const Weights& weights, const ModelConfig& config, const Inputs& inputs,
                  const at::Tensor& prompt, Mode mode);

// The sum of word, position and token-type embeddings, fp32 (B, S, H), before LayerNorm. Prompt vectors
// replace the word embeddings of the [CLS] and [SEP] slots of each row, wherever they lie in that row.
at::Tensor embed(const Weights& weights, const ModelConfig& config, const Inputs& inputs,
                 const at::Tensor& prompt);

}  // namespace relmpi
