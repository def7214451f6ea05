#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/dtype.h"

namespace relmpi {

enum class RopeScaling { kNone, kLlama3, kYarn };

// Rotary position embeddings (Su et al. 2021) and how they are stretched beyond the trained length: llama3
// (Llama 3.1's by-part scaling) or YaRN (Peng et al. 2023). Names are those of Hugging Face's rope_scaling.
struct RopeConfig {
  double theta = 10000;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1;
  std::int64_t original_max_position_embeddings = 0;
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;              // yarn
  std::optional<double> attention_factor, mscale, mscale_all_dim;
  bool truncate = true;
};

// Shape of a decoder LLM: Llama, Qwen2 (and Qwen2.5) or Qwen3, from Hugging Face's config.json under its own
// names.
struct LlmConfig {
  std::string model_type;  // llama, qwen2 or qwen3
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t max_position_embeddings = 0;
  double rms_norm_eps = 1e-6;
  RopeConfig rope;
  bool tie_word_embeddings = false;
  bool qkv_bias = false;     // of q_proj, k_proj, v_proj
  bool output_bias = false;  // of o_proj
  bool mlp_bias = false;     // of gate_proj, up_proj, down_proj
  bool qk_norm = false;      // RMSNorm over each head of q and k (Qwen3)
  std::string dtype;         // the weights' own, as "bfloat16"; empty if the file does not say
  std::vector<std::int64_t> eos_token_ids;

  // Query heads, and key and value heads, side by side in one product: rows of its weight.
  std::int64_t qkv_rows() const { return (num_attention_heads + 2 * num_key_value_heads) * head_dim; }

  // Throws InputError naming the field.
  void validate() const;
  // Throws InputError naming the first id that is none of this vocabulary's.
  void demand_in_vocabulary(std::span<const std::int32_t> ids) const;
};

// Throws InputError naming the file and the field for what is missing, of the wrong kind, of another
// architecture, or not built (sliding windows in use, other kinds of RoPE scaling or activation).
LlmConfig load_llm_config(const std::filesystem::path& file);

// The type of the weights as loaded: what --dtype asks for, else what config.json says, else fp32. Throws
// InputError naming the one that says something else than fp32, bf16 or fp16.
at::ScalarType weight_dtype(const std::string& option, const LlmConfig& config);

// The token ids in `folder`/generation_config.json that end a text, else those in config.json; may be empty.
// Throws InputError for one outside the vocabulary.
std::vector<std::int64_t> end_tokens(const std::filesystem::path& folder, const LlmConfig& config);

}  // namespace relmpi
