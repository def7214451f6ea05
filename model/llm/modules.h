#pragma once

#include <cstdint>
#include <string>

#include "dist/placement/placement.h"
#include "model/llm/config.h"

namespace relmpi {

// The modules of a decoder LLM with the names, classes, order and sizes that transformers 4.57 gives
// LlamaForCausalLM, Qwen2ForCausalLM and Qwen3ForCausalLM, for the planner in dist/placement/placement.h.
// `value_bytes`: of one weight as loaded, 2 or 4. Tied embeddings are one tensor under two names. The rotary
// frequencies count as a weight does: Accelerate counts buffers, and converts those of floating point.
ModelTree decoder_tree(const LlmConfig& config, int value_bytes);

// "model.layers.7", a module that is never split.
std::string decoder_layer_name(std::int64_t layer);

}  // namespace relmpi
