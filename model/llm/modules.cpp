#include "model/llm/modules.h"

namespace relmpi {
namespace {

class Builder {
 public:
  Builder(const LlmConfig& config, int value_bytes) : config_(config), value_bytes_(value_bytes) {
    family_ = config.model_type == "llama" ? "Llama" : config.model_type == "qwen2" ? "Qwen2" : "Qwen3";
  }

  ModelTree tree() const {
    ModelTree tree;
    tree.root = {
        "", family_ + "ForCausalLM", {}, {model(), linear("lm_head", hidden(), config_.vocab_size, false)}};
    if (config_.tie_word_embeddings) tree.tied = {{"lm_head.weight", "model.embed_tokens.weight"}};
    tree.no_split = {family_ + "DecoderLayer"};
    return tree;
  }

 private:
  std::int64_t hidden() const { return config_.hidden_size; }

  TreeTensor tensor(const char* name, std::int64_t elements, TensorKind kind = TensorKind::kParameter) const {
    return {name, elements * value_bytes_, kind};
  }

  Module linear(const char* name, std::int64_t in, std::int64_t out, bool bias) const {
    Module module{name, "Linear", {tensor("weight", in * out)}, {}};
    if (bias) module.tensors.push_back(tensor("bias", out));
    return module;
  }

  Module norm(const char* name, std::int64_t size) const {
    return {name, family_ + "RMSNorm", {tensor("weight", size)}, {}};
  }

  Module attention() const {
    const std::int64_t queries = config_.num_attention_heads * config_.head_dim;
    const std::int64_t keys = config_.num_key_value_heads * config_.head_dim;
    Module module{"self_attn",
                  family_ + "Attention",
                  {},
                  {linear("q_proj", hidden(), queries, config_.qkv_bias),
                   linear("k_proj", hidden(), keys, config_.qkv_bias),
                   linear("v_proj", hidden(), keys, config_.qkv_bias),
                   linear("o_proj", queries, hidden(), config_.output_bias)}};
    if (config_.qk_norm)
      for (const char* name : {"q_norm", "k_norm"}) module.children.push_back(norm(name, config_.head_dim));
    return module;
  }

  Module mlp() const {
    const std::int64_t inner = config_.intermediate_size;
    return {"mlp",
            family_ + "MLP",
            {},
            {linear("gate_proj", hidden(), inner, config_.mlp_bias),
             linear("up_proj", hidden(), inner, config_.mlp_bias),
             linear("down_proj", inner, hidden(), config_.mlp_bias),
             {"act_fn", "SiLU", {}, {}}}};
  }

  Module layers() const {
    Module list{"layers", "ModuleList", {}, {}};
    const Module layer{
        "",
        family_ + "DecoderLayer",
        {},
        {attention(), mlp(), norm("input_layernorm", hidden()), norm("post_attention_layernorm", hidden())}};
    for (std::int64_t i = 0; i < config_.num_hidden_layers; ++i) {
      list.children.push_back(layer);
      list.children.back().name = std::to_string(i);
    }
    return list;
  }

  Module model() const {
    const Module embedding{
        "embed_tokens", "Embedding", {tensor("weight", config_.vocab_size * hidden())}, {}};
    const Module rotary{"rotary_emb",
                        family_ + "RotaryEmbedding",
                        {tensor("inv_freq", config_.head_dim / 2, TensorKind::kTransientBuffer)},
                        {}};
    return {"model", family_ + "Model", {}, {embedding, layers(), norm("norm", hidden()), rotary}};
  }

  const LlmConfig& config_;
  std::int64_t value_bytes_;
  std::string family_;
};

}  // namespace

ModelTree decoder_tree(const LlmConfig& config, int value_bytes) {
  return Builder(config, value_bytes).tree();
}

std::string decoder_layer_name(std::int64_t layer) { return "model.layers." + std::to_string(layer); }

}  // namespace relmpi
