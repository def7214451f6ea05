#include "model/dgca/encoder.h"

#include <ATen/ATen.h>

#include "model/dgca/attention.h"
#include "model/dgca/shared_embedding.h"

namespace relmpi {
namespace {

at::Tensor layer(const LayerWeights& w, const ModelConfig& c, const at::Tensor& x, const Attention& attention,
                 bool train) {
  const bool pre = c.layer_norm == NormPlace::kPre;
  const auto drop = [&](const at::Tensor& t) { return at::dropout(t, c.hidden_dropout_prob, train); };
  const auto norm = [&](const NormWeights& n, const at::Tensor& t) { return apply(n, t, c.layer_norm_eps); };
  const auto attend = [&](const at::Tensor& t) {
    const at::Tensor mixed = self_attention(apply(w.qkv, t), c.num_attention_heads, attention);
    return drop(apply(w.attention_output, mixed));
  };
  const auto feed_forward = [&](const at::Tensor& t) {
    return drop(apply(w.output, at::gelu(apply(w.intermediate, t))));
  };
  if (pre) {
    const at::Tensor y = x + attend(norm(w.attention_norm, x));
    return y + feed_forward(norm(w.output_norm, y));
  }
  const at::Tensor y = norm(w.attention_norm, x + attend(x));
  return norm(w.output_norm, y + feed_forward(y));
}

}  // namespace

at::Tensor embed(const Weights& w, const ModelConfig& config, const Inputs& in, const at::Tensor& prompt) {
  const std::int64_t h = config.hidden_size;
  at::Tensor words = look_up(w.word, in.ids.view(-1));  // (B * S, H)
  if (prompt.defined()) {
    const at::Tensor rows = prompt.unsqueeze(0).expand({in.rows, prompt.size(0), h}).reshape({-1, h});
    words = words.index_copy(0, in.prompt_slots, rows);
  }
  const at::Tensor sum = words + at::embedding(w.position, in.positions.view(-1)) + w.token_type.select(0, 0);
  return sum.view({in.rows, in.width, h});
}

at::Tensor encode(const Weights& w, const ModelConfig& config, const Inputs& in, const at::Tensor& prompt,
                  Mode mode) {
  const bool train = mode == Mode::kTrain;
  at::Tensor x = apply(w.embeddings_norm, embed(w, config, in, prompt).to(w.dtype), config.layer_norm_eps);
  x = at::dropout(x, config.hidden_dropout_prob, train);
  const double dropout = train ? config.attention_probs_dropout_prob : 0.0;
  const Attention attention =
      prepare_attention(choose_attention(x.device(), in.width, dropout), dropout, in.padding_mask, w.dtype);
  for (const LayerWeights& weights : w.layers) x = layer(weights, config, x, attention, train);
  if (w.final_norm.weight.defined()) x = apply(w.final_norm, x, config.layer_norm_eps);
  return x.reshape({in.rows * in.width, config.hidden_size});
}

}  // namespace relmpi
