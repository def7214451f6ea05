#pragma once

#include <ATen/core/Tensor.h>

#include "model/dgca/heads.h"

namespace relmpi {

struct LossOptions {
  double wrong_weight = 3.0;  // w_i where the source character is wrong
  double detection_pos_weight = 3.0;
  double rank_margin = 0.5;
  double detection = 1.0;  // weights of the terms in the total
  double rank = 0.5;
  double auxiliary = 1.0;
  std::int64_t vocabulary_chunk = 0;  // rows of logits made at once; 0 = chosen from V
};

// Sums over this rank's rows (fp32 scalars on the device); undefined if the ablation has no such term.
struct LossSums {
  at::Tensor correction;  // sum of -w_i log(p_y + 1e-10)
  at::Tensor detection;   // sum of binary cross-entropies
  at::Tensor rank;        // sum over positions of sum_c relu(margin - pc_y + pc_c)
  at::Tensor auxiliary;   // sum of -log softmax(z)_y at masked source slots

  // (4) in this order, 0 for a term that is not there.
  at::Tensor stacked() const;
};

// The four losses of DGCA-ReLM. No (N, V) tensor is kept: log softmax(z)_y comes in chunks.
LossSums loss_sums(const Weights& weights, const ModelConfig& config, const Inputs& inputs,
                   const Heads& heads, const LossOptions& options);

// correction / positions + detection / characters + rank / ranked + auxiliary / masked, with the weights of
// `options`; a term whose count is 0 is 0. `counts` are those of the whole global batch.
at::Tensor total_loss(const LossSums& sums, const LossCounts& counts, const LossOptions& options);

// The same as numbers, for logs and evaluations.
struct LossMeans {
  double correction = 0, detection = 0, rank = 0, auxiliary = 0;  // each over its own count

  double total(const LossOptions& options = {}) const;
};

// `sums`: (4) float64 on the host, in the order of LossSums::stacked(), of the rows that `counts` counts.
LossMeans loss_means(const at::Tensor& sums, const LossCounts& counts);

}  // namespace relmpi
