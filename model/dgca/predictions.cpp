#include "model/dgca/predictions.h"

#include <ATen/ATen.h>

#include "model/dgca/vocabulary_head.h"
#include "model/kernels/linear.h"

namespace relmpi {
namespace {

bool uses_candidates(const ModelConfig& c, Gating gating) {
  return c.has_candidates() && gating == Gating::kModel;
}

// p of rows [begin, begin + rows), (rows, V).
at::Tensor rows_of_p(const Weights& w, const Heads& heads, const at::Tensor& t, std::int64_t begin,
                     std::int64_t rows, bool with_candidates, at::Tensor* logits) {
  const at::Tensor z =
      product_transposed(t.narrow(0, begin, rows), w.word_compute) + w.vocabulary_bias;  // fp32
  if (logits) *logits = z;
  at::Tensor p = at::softmax(z, 1);
  if (!with_candidates) return p;
  const at::Tensor alpha = heads.alpha.narrow(0, begin, rows).unsqueeze(1);
  p.mul_(1 - alpha);
  return p.scatter_add_(1, heads.candidates.narrow(0, begin, rows).clamp_min(0),
                        heads.candidate_probability.narrow(0, begin, rows) * alpha);
}

// Argmax over the candidates alone; rows at open_index are overwritten by the caller.
Predictions among_candidates(const Inputs& in, const Heads& heads) {
  Predictions out;
  const auto [p, k] = heads.candidate_probability.max(1);
  out.best = heads.candidates.gather(1, k.unsqueeze(1)).squeeze(1);
  out.best_log_p = p.log();
  const at::Tensor is_source = heads.candidates.eq(in.source.unsqueeze(1)).to(at::kFloat);
  out.source_log_p = (heads.candidate_probability * is_source).sum(1).log();
  return out;
}

// Argmax of p for the rows of `t` (n, H), which belong to characters `source` (n).
Predictions over_vocabulary(const Weights& w, const Heads& heads, const at::Tensor& t,
                            const at::Tensor& source, bool with_candidates) {
  Predictions out;
  const std::int64_t n = t.size(0), chunk = vocabulary_chunk_rows(w.word.size(0), t.device());
  out.best = at::empty_like(source);
  out.best_log_p = at::empty({n}, w.vocabulary_bias.options());
  out.source_log_p = at::empty_like(out.best_log_p);
  for (std::int64_t begin = 0; begin < n; begin += chunk) {
    const std::int64_t rows = std::min(chunk, n - begin);
    const at::Tensor p = rows_of_p(w, heads, t, begin, rows, with_candidates, nullptr);
    const auto [best_p, best] = p.max(1);
    out.best.narrow(0, begin, rows).copy_(best);
    out.best_log_p.narrow(0, begin, rows).copy_(best_p.log());
    out.source_log_p.narrow(0, begin, rows)
        .copy_(p.gather(1, source.narrow(0, begin, rows).unsqueeze(1)).squeeze(1).log());
  }
  return out;
}

}  // namespace

Predictions predict(const Weights& w, const ModelConfig& c, const Inputs& in, const Heads& heads,
                    Gating gating) {
  const bool with_candidates = uses_candidates(c, gating);
  Predictions out;
  if (with_candidates && c.output == Output::kCandidates) {
    out = among_candidates(in, heads);
    if (in.open_index.size(0) > 0) {
      const at::Tensor t = transform(w, c, heads.target_hidden.index_select(0, in.open_index));
      const Predictions open = over_vocabulary(w, heads, t, in.source.index_select(0, in.open_index), false);
      out.best.index_copy_(0, in.open_index, open.best);
      out.best_log_p.index_copy_(0, in.open_index, open.best_log_p);
      out.source_log_p.index_copy_(0, in.open_index, open.source_log_p);
    }
  } else {
    out = over_vocabulary(w, heads, transform(w, c, heads.target_hidden), in.source, with_candidates);
  }
  const at::Tensor ones = at::ones_like(out.best_log_p);
  out.d = heads.detector_logits.defined() ? at::sigmoid(heads.detector_logits) : ones;
  out.alpha = with_candidates && c.output == Output::kMixture ? heads.alpha : ones;
  return out;
}

at::Tensor distribution(const Weights& w, const ModelConfig& c, const Inputs&, const Heads& heads,
                        Gating gating, at::Tensor* logits) {
  const at::Tensor t = transform(w, c, heads.target_hidden);
  return rows_of_p(w, heads, t, 0, t.size(0), uses_candidates(c, gating), logits);
}

}  // namespace relmpi
