#pragma once

#include <ATen/core/Tensor.h>

#include "model/dgca/config.h"
#include "model/dgca/encoder.h"
#include "model/dgca/inputs.h"
#include "model/dgca/weights.h"

namespace relmpi {

// What the detector, the candidate head and the gate say of the N characters of a batch, all fp32.
struct Heads {
  at::Tensor source_hidden;          // (N, H) compute dtype
  at::Tensor target_hidden;          // (N, H) compute dtype
  at::Tensor detector_logits;        // (N), of the source characters; undefined without a detector
  at::Tensor candidates;             // (N, K) int64, -1 = none; undefined without candidates
  at::Tensor candidate_probability;  // (N, K), 0 where there is none
  at::Tensor alpha;  // (N), 0 where a character is masked or has no candidates; undefined without
                     // candidates
};

// alpha as the model says, or 0 everywhere: the language model alone.
enum class Gating { kModel, kLanguageModelOnly };

// `hidden` (B * S, H); `table` (V, K) int32 on the device, undefined without candidates.
Heads run_heads(const Weights& weights, const ModelConfig& config, const Inputs& inputs,
                const at::Tensor& hidden, const at::Tensor& table, Mode mode);

}  // namespace relmpi
