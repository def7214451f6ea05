#include "model/dgca/weights.h"

#include "base/torch_headers.h"
#include "model/dgca/leaf_gradients.h"
#include "model/dgca/lstm.h"
#include "model/kernels/linear.h"
#include "model/kernels/own_kernels.h"

namespace relmpi {
namespace {

class WeightMaker {
 public:
  WeightMaker(const Parameters& parameters, std::shared_ptr<LeafGradients> gradients, at::ScalarType dtype)
      : parameters_(parameters), gradients_(std::move(gradients)), dtype_(dtype) {}

  at::Tensor tensor(const std::string& name) const {
    return use_leaf(parameters_.leaf(name), parameters_.values(name, dtype_), gradients_);
  }
  LinearWeights linear(const std::string& name) const {
    const std::string weight = name + ".weight", bias = name + ".bias";
    LinearWeights made{tensor(weight), tensor(bias), {}};
    if (!own_kernels(parameters_.device()))
      made.sums = c10::make_intrusive<LeafSums>(parameters_.leaf(weight).grad(),
                                                parameters_.leaf(bias).grad(), gradients_);
    return made;
  }
  NormWeights norm(const std::string& name) const {
    return {tensor(name + ".weight"), tensor(name + ".bias")};
  }

 private:
  const Parameters& parameters_;
  std::shared_ptr<LeafGradients> gradients_;
  at::ScalarType dtype_;
};

}  // namespace

Weights make_weights(const Parameters& parameters, const ModelConfig& config, at::ScalarType dtype) {
  const auto gradients = std::make_shared<LeafGradients>(parameters.device());
  const WeightMaker cast(parameters, gradients, dtype);
  const WeightMaker keep(parameters, gradients, at::kFloat);
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

at::Tensor prompt_vectors(const Parameters& parameters) {
  const WeightMaker make(parameters, std::make_shared<LeafGradients>(parameters.device()), at::kFloat);
  const std::string name = "dgca.prompt.";
  const auto direction = [&](const std::string& suffix) {
    const auto part = [&](const char* kind) { return make.tensor(name + "lstm." + kind + suffix); };
    return LstmWeights{part("weight_ih_"), part("weight_hh_"), part("bias_ih_"), part("bias_hh_")};
  };
  const at::Tensor states = bidirectional_lstm(
      make.tensor(name + "embeddings.weight"),  // (2P, H)
      {{direction("l0"), direction("l0_reverse")}, {direction("l1"), direction("l1_reverse")}});
  return apply(make.linear(name + "mlp.2"), at::relu(apply(make.linear(name + "mlp.0"), states)));
}

at::Tensor apply(const LinearWeights& linear, const at::Tensor& x) {
  if (linear.sums) return leaf_linear(x, linear.weight, linear.bias, linear.sums);
  return relmpi::linear(x, linear.weight, linear.bias);
}

at::Tensor apply(const NormWeights& norm, const at::Tensor& x, double eps) {
  return at::layer_norm(x, {x.size(-1)}, norm.weight, norm.bias, eps);
}

}  // namespace relmpi
