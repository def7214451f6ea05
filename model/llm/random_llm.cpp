#include "model/llm/random_llm.h"

#include "base/torch_headers.h"

namespace relmpi {
namespace {

constexpr std::int64_t kVocabulary = 260, kHidden = 48, kWide = 80, kHeads = 6, kKeyHeads = 2, kHeadDim = 16;

void add_layer(NamedTensors& out, at::Generator& random, const std::string& family, std::int64_t index) {
  const std::string layer = fmt::format("model.layers.{}.", index), attention = layer + "self_attn.",
                    mlp = layer + "mlp.";
  const auto matrix = [&](const std::string& name, std::int64_t rows, std::int64_t columns) {
    out.emplace_back(name + ".weight", at::randn({rows, columns}, random) / 4);
  };
  const auto norm = [&](const std::string& name, std::int64_t size) {
    out.emplace_back(name + ".weight", 1 + at::randn({size}, random) / 4);
  };
  norm(layer + "input_layernorm", kHidden);
  norm(layer + "post_attention_layernorm", kHidden);
  matrix(attention + "q_proj", kHeads * kHeadDim, kHidden);
  matrix(attention + "k_proj", kKeyHeads * kHeadDim, kHidden);
  matrix(attention + "v_proj", kKeyHeads * kHeadDim, kHidden);
  matrix(attention + "o_proj", kHidden, kHeads * kHeadDim);
  matrix(mlp + "gate_proj", kWide, kHidden);
  matrix(mlp + "up_proj", kWide, kHidden);
  matrix(mlp + "down_proj", kHidden, kWide);
  if (family == "qwen3") {
    norm(attention + "q_norm", kHeadDim);
    norm(attention + "k_norm", kHeadDim);
  }
  if (family == "qwen2")
    for (const auto& [name, heads] :
         {std::pair{"q_proj", kHeads}, {"k_proj", kKeyHeads}, {"v_proj", kKeyHeads}})
      out.emplace_back(attention + name + ".bias", at::randn({heads * kHeadDim}, random));
}

}  // namespace

RandomLlm random_llm(const std::string& family, bool tied, std::int64_t layers) {
  at::Generator random = at::detail::createCPUGenerator(7);
  RandomLlm out;
  out.config = {{"model_type", family},
                {"vocab_size", kVocabulary},
                {"hidden_size", kHidden},
                {"intermediate_size", kWide},
                {"num_hidden_layers", layers},
                {"num_attention_heads", kHeads},
                {"num_key_value_heads", kKeyHeads},
                {"head_dim", kHeadDim},
                {"max_position_embeddings", 700},
                {"rms_norm_eps", 1e-6},
                {"rope_theta", 10000.0},
                {"tie_word_embeddings", tied},
                {"eos_token_id", 256},
                {"torch_dtype", "float32"}};
  out.tensors.emplace_back("model.embed_tokens.weight", at::randn({kVocabulary, kHidden}, random));
  for (std::int64_t i = 0; i < layers; ++i) add_layer(out.tensors, random, family, i);
  out.tensors.emplace_back("model.norm.weight", 1 + at::randn({kHidden}, random) / 4);
  if (!tied) out.tensors.emplace_back("lm_head.weight", at::randn({kVocabulary, kHidden}, random));
  return out;
}

}  // namespace relmpi
