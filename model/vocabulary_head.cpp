#include "model/vocabulary_head.h"

#include "model/word_table.h"

namespace relmpi {
namespace {

constexpr std::int64_t kChunkElements = 4 << 20;

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor logits_of(const at::Tensor& t, const at::Tensor& word_compute, const at::Tensor& bias) {
  return at::matmul(t, word_compute.t()).to(at::kFloat).add_(bias);
}

class LogProbability : public torch::autograd::Function<LogProbability> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& t, const at::Tensor& word,
                            const at::Tensor& word_compute, const at::Tensor& bias, const at::Tensor& labels,
                            std::int64_t chunk_rows) {
    const std::int64_t n = t.size(0);
    at::Tensor normaliser = at::empty({n}, bias.options());
    at::Tensor out = at::empty({n}, bias.options());
    for (std::int64_t begin = 0; begin < n; begin += chunk_rows) {
      const std::int64_t rows = std::min(chunk_rows, n - begin);
      const at::Tensor logits = logits_of(t.narrow(0, begin, rows), word_compute, bias);
      at::Tensor part = normaliser.narrow(0, begin, rows);
      at::logsumexp_out(part, logits, {1});
      const at::Tensor chosen = logits.gather(1, labels.narrow(0, begin, rows).unsqueeze(1)).squeeze(1);
      out.narrow(0, begin, rows).copy_(chosen - part);
    }
    context->save_for_backward({t, word, word_compute, bias, labels, normaliser});
    context->saved_data["chunk_rows"] = chunk_rows;
    return out;
  }

  // d log p_y / dz = onehot(y) - softmax(z).
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &t = saved[0], &word = saved[1], &word_compute = saved[2], &bias = saved[3],
                     &labels = saved[4], &normaliser = saved[5];
    const std::int64_t n = t.size(0), chunk_rows = context->saved_data["chunk_rows"].toInt();
    const at::Tensor grad = grads[0].unsqueeze(1);
    at::Tensor grad_t = at::empty_like(t);
    at::Tensor grad_word = gradient_sink(word);
    at::Tensor grad_bias = at::zeros_like(bias);
    for (std::int64_t begin = 0; begin < n; begin += chunk_rows) {
      const std::int64_t rows = std::min(chunk_rows, n - begin);
      const at::Tensor part = t.narrow(0, begin, rows), grad_part = grad.narrow(0, begin, rows);
      at::Tensor d =
          logits_of(part, word_compute, bias).sub_(normaliser.narrow(0, begin, rows).unsqueeze(1)).exp_();
      d.mul_(grad_part.neg());
      d.scatter_add_(1, labels.narrow(0, begin, rows).unsqueeze(1), grad_part);
      grad_bias.add_(d.sum(0));
      const at::Tensor low = d.to(t.scalar_type());
      grad_t.narrow(0, begin, rows).copy_(at::matmul(low, word_compute));
      if (low.scalar_type() == at::kFloat)
        grad_word.addmm_(low.t(), part);
      else
        grad_word.add_(at::matmul(low.t(), part));
    }
    return {grad_t, unless_sunk(word, grad_word), {}, grad_bias, {}, {}};
  }
};

}  // namespace

at::Tensor transform(const Weights& weights, const ModelConfig& config, const at::Tensor& hidden) {
  return apply(weights.transform_norm, at::gelu(apply(weights.transform, hidden)), config.layer_norm_eps);
}

std::int64_t vocabulary_chunk_rows(std::int64_t vocabulary_size) {
  return std::max<std::int64_t>(16, kChunkElements / vocabulary_size);
}

at::Tensor vocabulary_log_probability(const at::Tensor& t, const at::Tensor& word,
                                      const at::Tensor& word_compute, const at::Tensor& bias,
                                      const at::Tensor& labels, std::int64_t chunk_rows) {
  if (chunk_rows <= 0) chunk_rows = vocabulary_chunk_rows(word.size(0));
  return LogProbability::apply(t, word, word_compute, bias, labels, chunk_rows);
}

}  // namespace relmpi
