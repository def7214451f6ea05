#pragma once

#include <ATen/core/Tensor.h>

#include "model/llm/config.h"

namespace relmpi {

// Angles of rotary position embeddings, as cosines and sines in fp32.
struct RopeTable {
  at::Tensor cosines, sines;  // (positions, head_dim / 2)
};

// For positions 0 .. positions - 1. theta^(-2i / head_dim) radians a position (Su et al. 2021), scaled as
// the configuration asks: llama3 (long waves divided by the factor, short ones kept, those between
// interpolated) or YaRN (Peng et al. 2023, sections 3.2 to 3.4), which also scales both tables. The same
// arithmetic in fp32 as Hugging Face's, so that late positions get the same angles.
RopeTable rope_table(const LlmConfig& config, std::int64_t positions, at::Device device);

}  // namespace relmpi
