#pragma once

#include "model/dgca/heads.h"
#include "model/dgca/losses.h"

namespace relmpi {

// The four losses of DGCA-ReLM the way the formulas say them, with the distributions over the whole
// vocabulary at every slot: (B * S, V) logits, (N, K, H) embeddings of the candidates, the (N, V) mixture.
// The slow twin of run_heads + loss_sums, without dropout. `hidden` (B * S, H); `table` (V, K), undefined
// without candidates.
LossSums full_distribution_losses(const Weights& weights, const ModelConfig& config, const Inputs& inputs,
                                  const at::Tensor& hidden, const at::Tensor& table,
                                  const LossOptions& options);

}  // namespace relmpi
