#pragma once

#include <ATen/core/Tensor.h>

#include "model/dgca/config.h"
#include "model/dgca/weights.h"

namespace relmpi {

// BERT's transform before the vocabulary: LayerNorm(gelu(W h + b)). (N, H) -> (N, H).
at::Tensor transform(const Weights& weights, const ModelConfig& config, const at::Tensor& hidden);

// log softmax(t E^T + b)_y without keeping any N x V tensor: logits are made in chunks of rows, reduced to
// logsumexp and z_y, and made again in the backward pass.
//   t (N, H) compute dtype; word (V, H) fp32, whose gradient is returned; word_compute: its copy in t's
//   dtype; bias (V) fp32; labels (N) int64.  Returns (N) fp32. `chunk_rows` 0 = chosen from V.
at::Tensor vocabulary_log_probability(const at::Tensor& t, const at::Tensor& word,
                                      const at::Tensor& word_compute, const at::Tensor& bias,
                                      const at::Tensor& labels, std::int64_t chunk_rows = 0);

// Rows per chunk so that one chunk of logits stays small for the device.
std::int64_t vocabulary_chunk_rows(std::int64_t vocabulary_size, at::Device device);

}  // namespace relmpi
