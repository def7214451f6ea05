#include "tests/model/tiny_llm.h"

#include <unistd.h>

#include "base/files.h"
#include "base/torch_headers.h"
#include "model/safetensors.h"
#include "tests/data/tokenizer_testing.h"

namespace relmpi {
namespace {

constexpr std::int64_t kVocabulary = 260, kHidden = 48, kWide = 80, kHeads = 6, kKeyHeads = 2, kHeadDim = 16;

using Named = std::vector<std::pair<std::string, at::Tensor>>;

void add_layer(Named& out, const std::string& family, std::int64_t index) {
  const std::string layer = fmt::format("model.layers.{}.", index), attention = layer + "self_attn.",
                    mlp = layer + "mlp.";
  const auto matrix = [&](const std::string& name, std::int64_t rows, std::int64_t columns) {
    out.emplace_back(name + ".weight", at::randn({rows, columns}) / 4);
  };
  const auto norm = [&](const std::string& name, std::int64_t size) {
    out.emplace_back(name + ".weight", 1 + at::randn({size}) / 4);
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
      out.emplace_back(attention + name + ".bias", at::randn({heads * kHeadDim}));
}

}  // namespace

TinyLlm::TinyLlm(const std::string& family, bool tied, std::int64_t layers) {
  static int number = 0;
  folder_ =
      std::filesystem::temp_directory_path() / fmt::format("relmpi-tiny-llm-{}-{}", ::getpid(), ++number);
  create_folder(folder_);
  at::manual_seed(7);
  config = {{"model_type", family},
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
  tokenizer = small_tokenizer();
  tokenizer["added_tokens"].push_back(added_token(256, "<|end|>"));
  tensors.emplace_back("model.embed_tokens.weight", at::randn({kVocabulary, kHidden}));
  for (std::int64_t i = 0; i < layers; ++i) add_layer(tensors, family, i);
  tensors.emplace_back("model.norm.weight", 1 + at::randn({kHidden}) / 4);
  if (!tied) tensors.emplace_back("lm_head.weight", at::randn({kVocabulary, kHidden}));
  save();
}

TinyLlm::~TinyLlm() { std::filesystem::remove_all(folder_); }

void TinyLlm::save_texts() const {
  write_file_atomic(folder_ / "config.json", config.dump());
  write_file_atomic(folder_ / "tokenizer.json", tokenizer.dump());
}

void TinyLlm::save() const {
  save_texts();
  write_safetensors(folder_ / "model.safetensors", tensors);
}

void TinyLlm::save_sharded() const {
  save_texts();
  std::filesystem::remove(folder_ / "model.safetensors");
  nlohmann::json index;
  Named halves[2];
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    halves[i % 2].push_back(tensors[i]);
    index["weight_map"][tensors[i].first] = fmt::format("model-{}.safetensors", i % 2);
  }
  for (std::size_t half = 0; half < 2; ++half)
    write_safetensors(folder_ / fmt::format("model-{}.safetensors", half), halves[half]);
  write_file_atomic(folder_ / "model.safetensors.index.json", index.dump());
}

LlmPlaces dealt_places(const LlmConfig& config, std::size_t slots) {
  LlmPlaces places = one_place(config, at::kCPU);
  places.devices.assign(slots, at::kCPU);
  for (std::size_t i = 0; i < places.layers.size(); ++i) places.layers[i] = i % slots;
  places.head = slots - 1;
  return places;
}

Decoder TinyLlm::decoder(at::ScalarType dtype, std::size_t slots) const {
  const LlmConfig read = load_llm_config(folder_ / "config.json");
  return {folder_, read, dtype, dealt_places(read, slots)};
}

Llm TinyLlm::open(const std::string& dtype) const {
  LlmPlacement where;
  where.dtype = dtype;
  return load(where, {{Place::cpu(), std::int64_t{1} << 30}});
}

Llm TinyLlm::load(const LlmPlacement& where, const MemoryLimits& free, std::int64_t batch) const {
  LlmFolder read = open_llm_folder(folder_);
  LlmPlan plan = plan_llm(read.config, where, {batch, 10}, free);
  return load_llm(std::move(read), std::move(plan));
}

}  // namespace relmpi
