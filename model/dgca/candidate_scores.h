#pragma once

#include <ATen/core/Tensor.h>

namespace relmpi {

// scores[n, k] = h[n] . E[c[n, k]], without an (N, K, H) tensor on the CPU.
//   h (N, H) compute dtype; word (V, H) fp32, whose gradient is returned; word_compute: its copy in h's
//   dtype; candidates (N, K) int64, -1 = none (its score is 0).  Returns (N, K) fp32.
at::Tensor candidate_scores(const at::Tensor& h, const at::Tensor& word, const at::Tensor& word_compute,
                            const at::Tensor& candidates);

}  // namespace relmpi
