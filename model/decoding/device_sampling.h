#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "model/decoding/sampling.h"

namespace relmpi {

// choose_token for the rows of `logits` (N, V) fp32 where they lie, by libtorch's operators, so that a GPU
// sends N tokens to the host and not N V logits, and the host waits once. `histories` and `uniforms`: one a
// row. The same tokens but where a uniform number is within 1e-12 of a border: probabilities are fp64 here
// too, but summed in another order. Throws RuntimeError for logits that are not finite.
std::vector<std::int32_t> choose_tokens_on_device(const at::Tensor& logits,
                                                  const std::vector<std::span<const std::int32_t>>& histories,
                                                  const SamplingOptions& options,
                                                  const std::vector<double>& uniforms);

}  // namespace relmpi
