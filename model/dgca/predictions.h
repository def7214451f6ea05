#pragma once

#include <ATen/core/Tensor.h>

#include "model/dgca/heads.h"

namespace relmpi {

// The answer for each of the N characters, on the device.
struct Predictions {
  at::Tensor best;          // (N) int64, argmax of p
  at::Tensor best_log_p;    // (N) fp32
  at::Tensor source_log_p;  // (N) fp32, log p of the character as written; -inf where p has none of it
  at::Tensor d;             // (N) fp32, detector's probability of an error; 1 without a detector
  at::Tensor alpha;         // (N) fp32; 1 where the gate takes no part
};

// p = (1 - alpha) softmax(z) + alpha p_cand in chunks of rows, or the candidates alone, as the configuration
// says.
Predictions predict(const Weights& weights, const ModelConfig& config, const Inputs& inputs,
                    const Heads& heads, Gating gating = Gating::kModel);

// The full distribution p (N, V) fp32, and the logits z (N, V) in `logits` if asked: for tests and small
// models.
at::Tensor distribution(const Weights& weights, const ModelConfig& config, const Inputs& inputs,
                        const Heads& heads, Gating gating, at::Tensor* logits = nullptr);

}  // namespace relmpi
