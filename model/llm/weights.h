#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <vector>

#include "model/llm/config.h"
#include "model/llm/places.h"

namespace relmpi {

// Matrices are (out, in). Biases are fp32 and undefined if the model has none.
struct LlmLayer {
  at::Tensor input_norm, post_attention_norm;  // (H)
  at::Tensor qkv, qkv_bias;                    // q, k and v below each other
  at::Tensor q_norm, k_norm;                   // (head_dim), undefined except for Qwen3
  at::Tensor heads_norm;                       // of both (RotaryWeights), undefined where own kernels run
  at::Tensor output, output_bias;              // (H, heads * head_dim)
  at::Tensor gate_up, gate_up_bias;            // gate and up below each other (2 I, H)
  at::Tensor down, down_bias;                  // (H, I)
};

struct LlmWeights {
  at::Tensor embedding;  // (V, H)
  std::vector<LlmLayer> layers;
  at::Tensor final_norm;  // (H)
  at::Tensor head;        // (V, H): the embedding itself if they are tied and on one device

  std::int64_t bytes() const;  // each tensor once
};

// The weights of a Hugging Face folder in `dtype`, copied from the mapped files straight to their devices.
// Throws InputError naming the tensor: missing, of another shape, of integers, or one that the model has no
// place for.
LlmWeights load_llm_weights(const std::filesystem::path& folder, const LlmConfig& config,
                            at::ScalarType dtype, const LlmPlaces& places);

}  // namespace relmpi
