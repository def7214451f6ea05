#include "model/llm/weights.h"

#include <set>

#include "base/torch_headers.h"
#include "model/kernels/row_operations.h"
#include "model/llm/weight_files.h"

namespace relmpi {
namespace {

using Shape = std::vector<std::int64_t>;

// The tensors of the files, each taken once.
class Source {
 public:
  Source(const std::filesystem::path& folder, at::ScalarType dtype)
      : folder_(folder.string()), dtype_(dtype), tensors_(map_weight_files(folder)) {
    if (tensors_.contains("embed_tokens.weight")) add_prefix();
  }

  // Copied to the device in the dtype of the model.
  at::Tensor take(const std::string& name, const Shape& shape, at::Device device) {
    return stack({{name, shape}}, device, dtype_);
  }

  // One below the other.
  at::Tensor stack(const std::vector<std::pair<std::string, Shape>>& parts, at::Device device,
                   at::ScalarType dtype) {
    Shape whole = parts[0].second;
    whole[0] = 0;
    for (const auto& part : parts) whole[0] += part.second[0];
    at::Tensor out = at::empty(whole, at::TensorOptions(device).dtype(dtype));
    std::int64_t row = 0;
    for (const auto& [name, shape] : parts) {
      out.narrow(0, row, shape[0]).copy_(find(name, shape));
      row += shape[0];
    }
    return out;
  }

  at::Tensor stack(const std::vector<std::pair<std::string, Shape>>& parts, at::Device device) {
    return stack(parts, device, dtype_);
  }

  void drop(const std::string& name) { tensors_.erase(name); }

  // Buffers that old versions of transformers saved are computed here; anything else is a sign of another
  // model.
  void demand_all_taken() const {
    for (const auto& [name, tensor] : tensors_)
      if (!name.ends_with("rotary_emb.inv_freq"))
        throw InputError(
            "{}: tensor {} has no place in the model that config.json describes: files of different models, "
            "or "
            "an architecture that is not built",
            folder_, name);
  }

 private:
  // Of AutoModel's save_pretrained, which knows no head: names begin inside the model.
  void add_prefix() {
    std::map<std::string, at::Tensor> named;
    for (auto& [name, tensor] : tensors_)
      named.emplace(name == "lm_head.weight" ? name : "model." + name, tensor);
    tensors_ = std::move(named);
  }

  at::Tensor find(const std::string& name, const Shape& shape) {
    const auto found = tensors_.find(name);
    if (found == tensors_.end())
      throw InputError("{}: tensor {} is missing; config.json asks for it", folder_, name);
    at::Tensor tensor = found->second;
    if (tensor.sizes() != at::IntArrayRef(shape))
      throw InputError("{}: tensor {} has the shape [{}], but config.json makes it [{}]", folder_, name,
                       fmt::join(tensor.sizes(), ", "), fmt::join(shape, ", "));
    if (!tensor.is_floating_point())
      throw InputError("{}: tensor {} holds {}; fp32, bf16 or fp16 weights are expected", folder_, name,
                       c10::toString(tensor.scalar_type()));
    tensors_.erase(found);
    return tensor;
  }

  std::string folder_;
  at::ScalarType dtype_;
  std::map<std::string, at::Tensor> tensors_;
};

LlmLayer load_layer(Source& source, const LlmConfig& c, std::size_t index, at::Device device) {
  const std::string layer = fmt::format("model.layers.{}.", index), attention = layer + "self_attn.",
                    mlp = layer + "mlp.";
  const std::int64_t hidden = c.hidden_size, wide = c.intermediate_size,
                     q = c.num_attention_heads * c.head_dim, kv = c.num_key_value_heads * c.head_dim;
  LlmLayer out;
  out.input_norm = source.take(layer + "input_layernorm.weight", {hidden}, device);
  out.post_attention_norm = source.take(layer + "post_attention_layernorm.weight", {hidden}, device);
  out.qkv = source.stack({{attention + "q_proj.weight", {q, hidden}},
                          {attention + "k_proj.weight", {kv, hidden}},
                          {attention + "v_proj.weight", {kv, hidden}}},
                         device);
  out.output = source.take(attention + "o_proj.weight", {hidden, q}, device);
  out.gate_up = source.stack(
      {{mlp + "gate_proj.weight", {wide, hidden}}, {mlp + "up_proj.weight", {wide, hidden}}}, device);
  out.down = source.take(mlp + "down_proj.weight", {hidden, wide}, device);
  if (c.qkv_bias)
    out.qkv_bias = source.stack({{attention + "q_proj.bias", {q}},
                                 {attention + "k_proj.bias", {kv}},
                                 {attention + "v_proj.bias", {kv}}},
                                device, at::kFloat);
  if (c.output_bias)
    out.output_bias = source.stack({{attention + "o_proj.bias", {hidden}}}, device, at::kFloat);
  if (c.mlp_bias) {
    out.gate_up_bias =
        source.stack({{mlp + "gate_proj.bias", {wide}}, {mlp + "up_proj.bias", {wide}}}, device, at::kFloat);
    out.down_bias = source.stack({{mlp + "down_proj.bias", {hidden}}}, device, at::kFloat);
  }
  if (c.qk_norm) {
    out.q_norm = source.take(attention + "q_norm.weight", {c.head_dim}, device);
    out.k_norm = source.take(attention + "k_norm.weight", {c.head_dim}, device);
    if (!has_row_loops(out.qkv))
      out.heads_norm =
          portable::norms_of_heads(out.q_norm, out.k_norm, c.num_attention_heads, c.num_key_value_heads);
  }
  return out;
}

}  // namespace

LlmPlaces one_place(const LlmConfig& config, at::Device device) {
  return {.devices = {device},
          .embedding = 0,
          .layers = std::vector<std::size_t>(static_cast<std::size_t>(config.num_hidden_layers), 0),
          .head = 0};
}

std::int64_t LlmWeights::bytes() const {
  std::set<const void*> seen;
  std::int64_t bytes = 0;
  const auto add = [&](const at::Tensor& tensor) {
    if (tensor.defined() && seen.insert(tensor.const_data_ptr()).second)
      bytes += static_cast<std::int64_t>(tensor.nbytes());
  };
  for (const at::Tensor& tensor : {embedding, final_norm, head}) add(tensor);
  for (const LlmLayer& layer : layers)
    for (const at::Tensor& tensor :
         {layer.input_norm, layer.post_attention_norm, layer.qkv, layer.qkv_bias, layer.q_norm, layer.k_norm,
          layer.heads_norm, layer.output, layer.output_bias, layer.gate_up, layer.gate_up_bias, layer.down,
          layer.down_bias})
      add(tensor);
  return bytes;
}

LlmWeights load_llm_weights(const std::filesystem::path& folder, const LlmConfig& config,
                            at::ScalarType dtype, const LlmPlaces& places) {
  const at::NoGradGuard no_grad;
  Source source(folder, dtype);
  const Shape table{config.vocab_size, config.hidden_size};
  const at::Device head_device = places.devices[places.head];
  LlmWeights weights;
  weights.embedding = source.take("model.embed_tokens.weight", table, places.devices[places.embedding]);
  for (std::size_t i = 0; i < places.layers.size(); ++i)
    weights.layers.push_back(load_layer(source, config, i, places.of_layer(i)));
  weights.final_norm = source.take("model.norm.weight", {config.hidden_size}, head_device);
  if (config.tie_word_embeddings) {
    source.drop("lm_head.weight");  // some files hold it twice
    weights.head = weights.embedding.to(head_device);
  } else {
    weights.head = source.take("lm_head.weight", table, head_device);
  }
  source.demand_all_taken();
  return weights;
}

}  // namespace relmpi
