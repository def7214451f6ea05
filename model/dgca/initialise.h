#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>

#include "data/shards/dataset.h"
#include "model/dgca/config.h"
#include "model/dgca/parameters.h"

namespace relmpi {

struct InitOptions {
  std::uint64_t seed = 0;
  double embedding_std = 0.04;  // of SVD embeddings
  double gate_bias = 0.0;       // sigmoid(gate_bias) is where alpha starts
};

// BERT's way: normal(0, initializer_range) for matrices and embeddings, LayerNorm at 1 and 0, biases 0; the
// LSTM uniform in +-1/sqrt(H). Each tensor's numbers depend on (seed, its name) alone.
void initialise(Parameters& parameters, const ModelConfig& config, const InitOptions& options);

// Character embeddings from what stands beside what (V, H): positive pointwise mutual information of (left,
// right) pairs at distance 1 (weight 1) and 2 (weight 0.5), context counts to the power 0.75, truncated SVD
// of rank H/2, E = [U sqrt(s), W sqrt(s)] scaled to `std` (Levy, Goldberg, Dagan 2015). Reads the targets of
// `dataset`; rows of tokens that do not occur are left as they are in `embeddings` (V, H), which is changed
// in place. Throws InputError for more than 16,384 tokens: the table is dense.
void svd_embeddings(at::Tensor embeddings, const Dataset& dataset, double std, std::uint64_t seed);

}  // namespace relmpi
