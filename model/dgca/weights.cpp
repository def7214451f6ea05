#include "model/dgca/weights.h"

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/variable.h>

#include <limits>

#include "base/torch_headers.h"
#include "model/kernels/linear.h"

namespace relmpi {
namespace {

// In place of AccumulateGrad, which wants the gradient in the leaf's dtype and runs on the stream that was
// current when the leaf was first used: a CUDA graph of another stream could not hold it.
class LeafGradient : public torch::autograd::Node {
 public:
  // First of what is ready, so that a gradient is there, and can travel, as soon as it is known.
  explicit LeafGradient(at::Tensor leaf)
      : Node(std::numeric_limits<std::uint64_t>::max()), leaf_(std::move(leaf)) {}

  torch::autograd::variable_list apply(torch::autograd::variable_list&& grads) override {
    if (grads[0].defined()) leaf_.mutable_grad().add_(grads[0]);
    if (const auto& hook = torch::autograd::impl::post_acc_grad_hooks(leaf_)) (*hook)(leaf_);
    return {};
  }

 private:
  at::Tensor leaf_;
};

class WeightMaker {
 public:
  WeightMaker(const Parameters& parameters, at::ScalarType dtype) : parameters_(parameters), dtype_(dtype) {}

  at::Tensor tensor(const std::string& name) const {
    return use_leaf(parameters_.leaf(name), parameters_.values(name, dtype_));
  }
  LinearWeights linear(const std::string& name) const {
    return {tensor(name + ".weight"), tensor(name + ".bias")};
  }
  NormWeights norm(const std::string& name) const {
    return {tensor(name + ".weight"), tensor(name + ".bias")};
  }

 private:
  const Parameters& parameters_;
  at::ScalarType dtype_;
};

}  // namespace

at::Tensor use_leaf(const at::Tensor& leaf, const at::Tensor& values) {
  at::Tensor used = values.detach();
  if (at::GradMode::is_enabled()) torch::autograd::set_history(used, std::make_shared<LeafGradient>(leaf));
  return used;
}

Weights make_weights(const Parameters& parameters, const ModelConfig& config, at::ScalarType dtype) {
  const WeightMaker cast(parameters, dtype);
  const WeightMaker keep(parameters, at::kFloat);
  const std::string word = "bert.embeddings.word_embeddings.weight";
  Weights w;
  w.dtype = dtype;
  w.word = parameters.leaf(word);
  w.word_compute = parameters.values(word, dtype);
  w.position = keep.tensor("bert.embeddings.position_embeddings.weight");
  w.token_type = keep.tensor("bert.embeddings.token_type_embeddings.weight");
  w.embeddings_norm = cast.norm("bert.embeddings.LayerNorm");
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string name = "bert.encoder.layer." + std::to_string(i) + ".";
    w.layers.push_back({.qkv = cast.linear(name + "attention.self.qkv"),
                        .attention_output = cast.linear(name + "attention.output.dense"),
                        .intermediate = cast.linear(name + "intermediate.dense"),
                        .output = cast.linear(name + "output.dense"),
                        .attention_norm = cast.norm(name + "attention.output.LayerNorm"),
                        .output_norm = cast.norm(name + "output.LayerNorm")});
  }
  if (config.layer_norm == NormPlace::kPre) w.final_norm = cast.norm("dgca.final_norm");
  if (config.has_detector()) {
    w.detector_dense = cast.linear("dgca.detector.dense");
    w.detector_classifier = cast.linear("dgca.detector.classifier");
  }
  if (config.has_candidates()) {
    w.candidate_dense = cast.linear("dgca.candidate.dense");
    w.gate = keep.linear("dgca.gate");
  }
  w.transform = cast.linear("cls.predictions.transform.dense");
  w.transform_norm = cast.norm("cls.predictions.transform.LayerNorm");
  w.vocabulary_bias = keep.tensor("cls.predictions.bias");
  return w;
}

at::Tensor prompt_vectors(const Parameters& parameters, const ModelConfig& config) {
  const std::string name = "dgca.prompt.";
  const std::int64_t h = config.hidden_size;
  const at::Tensor embeddings = parameters.leaf(name + "embeddings.weight").unsqueeze(1);  // (2P, 1, H)
  std::vector<at::Tensor> lstm;
  for (const char* layer : {"l0", "l0_reverse", "l1", "l1_reverse"})
    for (const char* part : {"weight_ih_", "weight_hh_", "bias_ih_", "bias_hh_"})
      lstm.push_back(parameters.leaf(name + "lstm." + part + layer));
  const at::Tensor zeros = at::zeros({4, 1, h}, embeddings.options());
  const at::Tensor states = std::get<0>(at::lstm(embeddings, {zeros, zeros}, lstm, /*has_biases=*/true,
                                                 /*num_layers=*/2, /*dropout=*/0.0, /*train=*/false,
                                                 /*bidirectional=*/true, /*batch_first=*/false));
  const auto linear = [&](const at::Tensor& x, const char* layer) {
    return at::linear(x, parameters.leaf(name + layer + ".weight"), parameters.leaf(name + layer + ".bias"));
  };
  return linear(at::relu(linear(states.squeeze(1), "mlp.0")), "mlp.2");
}

at::Tensor apply(const LinearWeights& linear, const at::Tensor& x) {
  return relmpi::linear(x, linear.weight, linear.bias);
}

at::Tensor apply(const NormWeights& norm, const at::Tensor& x, double eps) {
  return at::layer_norm(x, {x.size(-1)}, norm.weight, norm.bias, eps);
}

}  // namespace relmpi
