#include "model/dgca/vocabulary_head.h"

#include "model/dgca/shared_embedding.h"
#include "model/kernels/linear.h"
#include "model/kernels/softmax_rows.h"

namespace relmpi {
namespace {

// Logits made at once: on a CPU what stays near its caches, elsewhere what is worth starting kernels for.
std::int64_t chunk_elements(at::Device device) { return device.is_cpu() ? 4 << 20 : 32 << 20; }
// Logits of up to so many elements are kept for the backward pass; more are computed again.
constexpr std::int64_t kKeptElements = 4 << 20;

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// (rows, V) in the compute dtype, without the bias.
at::Tensor logits_of(const at::Tensor& t, const at::Tensor& word_compute) {
  return product_transposed(t, word_compute);
}

void log_softmax(const at::Tensor& logits, const at::Tensor& bias, const at::Tensor& labels,
                 at::Tensor normaliser, at::Tensor log_p) {
  if (has_softmax_rows(logits)) return log_softmax_rows(logits, bias, labels, normaliser, log_p);
  const at::Tensor z = logits + bias;  // fp32
  const at::Tensor label = labels.unsqueeze(1);
  log_p.copy_(at::log_softmax(z, 1).gather(1, label).squeeze(1));
  at::sub_out(normaliser, z.gather(1, label).squeeze(1), log_p);
}

// The gradient of the logits in their dtype: grad[n] (onehot(y) - softmax(z)). Adds its sum to grad_bias.
at::Tensor softmax_gradient(at::Tensor logits, const at::Tensor& bias, const at::Tensor& labels,
                            const at::Tensor& normaliser, const at::Tensor& grad, at::Tensor& grad_bias) {
  if (has_softmax_rows(logits)) {
    softmax_gradient_rows(logits, bias, labels, normaliser, grad, grad_bias);
    return logits;
  }
  at::Tensor d = (logits + bias).sub_(normaliser.unsqueeze(1)).exp_();
  d.mul_(grad.neg().unsqueeze(1));
  d.scatter_add_(1, labels.unsqueeze(1), grad.unsqueeze(1));
  grad_bias.add_(d.sum(0));
  return d.to(logits.scalar_type());
}

class LogProbability : public torch::autograd::Function<LogProbability> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& t, const at::Tensor& word,
                            const at::Tensor& word_compute, const at::Tensor& bias, const at::Tensor& labels,
                            std::int64_t chunk_rows) {
    const std::int64_t n = t.size(0);
    at::Tensor normaliser = at::empty({n}, bias.options()), out = at::empty({n}, bias.options()), kept;
    if (n <= chunk_rows && n * word.size(0) <= kKeptElements) kept = logits_of(t, word_compute);
    for (std::int64_t begin = 0; begin < n; begin += chunk_rows) {
      const std::int64_t rows = std::min(chunk_rows, n - begin);
      const at::Tensor logits = kept.defined() ? kept : logits_of(t.narrow(0, begin, rows), word_compute);
      log_softmax(logits, bias, labels.narrow(0, begin, rows), normaliser.narrow(0, begin, rows),
                  out.narrow(0, begin, rows));
    }
    context->save_for_backward({t, word, word_compute, bias, labels, normaliser, kept});
    context->saved_data["chunk_rows"] = chunk_rows;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &t = saved[0], &word = saved[1], &word_compute = saved[2], &bias = saved[3],
                     &labels = saved[4], &normaliser = saved[5], &kept = saved[6];
    const std::int64_t n = t.size(0), chunk_rows = context->saved_data["chunk_rows"].toInt();
    at::Tensor grad_t = at::empty_like(t), grad_word = gradient_sink(word), grad_bias = at::zeros_like(bias);
    for (std::int64_t begin = 0; begin < n; begin += chunk_rows) {
      const std::int64_t rows = std::min(chunk_rows, n - begin);
      const at::Tensor part = t.narrow(0, begin, rows);
      // A graph that is kept may come back for its logits.
      const at::Tensor logits = kept.defined() ? kept.clone() : logits_of(part, word_compute);
      const at::Tensor d =
          softmax_gradient(logits, bias, labels.narrow(0, begin, rows), normaliser.narrow(0, begin, rows),
                           grads[0].narrow(0, begin, rows), grad_bias);
      grad_t.narrow(0, begin, rows).copy_(product_transposed(d, word_compute.t()));
      add_product(grad_word, d.t(), part);
    }
    return {grad_t, unless_sunk(word, grad_word), {}, grad_bias, {}, {}};
  }
};

}  // namespace

at::Tensor transform(const Weights& weights, const ModelConfig& config, const at::Tensor& hidden) {
  return apply(weights.transform_norm, at::gelu(apply(weights.transform, hidden)), config.layer_norm_eps);
}

std::int64_t vocabulary_chunk_rows(std::int64_t vocabulary_size, at::Device device) {
  return std::max<std::int64_t>(16, chunk_elements(device) / vocabulary_size);
}

at::Tensor vocabulary_log_probability(const at::Tensor& t, const at::Tensor& word,
                                      const at::Tensor& word_compute, const at::Tensor& bias,
                                      const at::Tensor& labels, std::int64_t chunk_rows) {
  if (chunk_rows <= 0) chunk_rows = vocabulary_chunk_rows(word.size(0), t.device());
  return LogProbability::apply(t, word, word_compute, bias, labels, chunk_rows);
}

}  // namespace relmpi
