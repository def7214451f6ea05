#include "model/dgca/heads.h"

#include <ATen/ATen.h>

#include "model/dgca/candidate_scores.h"

namespace relmpi {
namespace {

// Finite, so that a row without candidates gives numbers (which alpha = 0 then drops) and no NaN.
constexpr double kNoCandidate = -1e30;

// Detector (MDCSpell-like): dropout, Linear, tanh, dropout, Linear -> logits (N) fp32.
at::Tensor detector_logits(const Weights& w, const ModelConfig& c, const at::Tensor& hidden, bool train) {
  const at::Tensor inner = at::tanh(apply(w.detector_dense, at::dropout(hidden, c.head_dropout, train)));
  return apply(w.detector_classifier, at::dropout(inner, c.head_dropout, train)).squeeze(1).to(at::kFloat);
}

// softmax over the candidates that exist.
at::Tensor candidate_probability(const Weights& w, const ModelConfig& c, const at::Tensor& hidden,
                                 const at::Tensor& candidates, bool train) {
  const at::Tensor h = at::dropout(at::tanh(apply(w.candidate_dense, hidden)), c.head_dropout, train);
  const at::Tensor absent = candidates.lt(0);
  const at::Tensor scores =
      candidate_scores(h, w.word, w.word_compute, candidates).masked_fill(absent, kNoCandidate);
  return at::softmax(scores, 1).masked_fill(absent, 0);
}

// sigmoid(w . [h ; d] + b).
at::Tensor gate(const Weights& w, const at::Tensor& hidden, const at::Tensor& d) {
  const std::int64_t h = hidden.size(1);
  at::Tensor logit = at::mv(hidden.to(at::kFloat), w.gate.weight.select(0, 0).narrow(0, 0, h)) + w.gate.bias;
  if (d.defined()) logit = logit + d * w.gate.weight.select(0, 0).select(0, h);
  return at::sigmoid(logit);
}

}  // namespace

Heads run_heads(const Weights& w, const ModelConfig& c, const Inputs& in, const at::Tensor& hidden,
                const at::Tensor& table, Mode mode) {
  const bool train = mode == Mode::kTrain;
  Heads heads;
  heads.source_hidden = hidden.index_select(0, in.source_slots);
  heads.target_hidden = hidden.index_select(0, in.target_slots);
  at::Tensor d;  // what the gate sees
  if (c.has_detector()) {
    heads.detector_logits = detector_logits(w, c, heads.source_hidden, train);
    d = at::sigmoid(c.candidate_source == CandidateSource::kAsPublished
                        ? detector_logits(w, c, heads.target_hidden, train)
                        : heads.detector_logits);
  }
  if (!c.has_candidates()) return heads;
  heads.candidates = table.index_select(0, in.candidate_keys).to(at::kLong);
  heads.candidate_probability = candidate_probability(w, c, heads.target_hidden, heads.candidates, train);
  const at::Tensor closed = heads.candidates.select(1, 0).ge(0).logical_and(in.masked.logical_not());
  heads.alpha =
      c.output == Output::kCandidates ? closed.to(at::kFloat) : gate(w, heads.target_hidden, d) * closed;
  return heads;
}

}  // namespace relmpi
