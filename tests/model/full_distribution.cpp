#include "full_distribution.h"

#include "base/torch_headers.h"

namespace relmpi {
namespace {

at::Tensor vocabulary_logits(const Weights& w, const ModelConfig& c, const at::Tensor& hidden) {
  const at::Tensor t = apply(w.transform_norm, at::gelu(apply(w.transform, hidden)), c.layer_norm_eps);
  return at::matmul(t, w.word.to(t.scalar_type()).t()).to(at::kFloat) + w.vocabulary_bias;
}

at::Tensor detector(const Weights& w, const at::Tensor& hidden) {
  return apply(w.detector_classifier, at::tanh(apply(w.detector_dense, hidden))).squeeze(1).to(at::kFloat);
}

struct CandidateTerms {
  at::Tensor listed;       // (N, V) bool: the candidates of each character
  at::Tensor probability;  // (N, V)
  at::Tensor alpha;        // (N)
};

CandidateTerms candidate_terms(const Weights& w, const ModelConfig& c, const Inputs& in,
                               const at::Tensor& target, const at::Tensor& d, const at::Tensor& table) {
  const at::Tensor ids = table.index_select(0, in.candidate_keys).to(at::kLong);  // (N, K)
  const at::Tensor absent = ids.lt(0), safe = ids.clamp_min(0);
  const at::Tensor embeddings = w.word.to(target.scalar_type()).index({safe});  // (N, K, H)
  const at::Tensor query = at::tanh(apply(w.candidate_dense, target)).unsqueeze(1);
  const at::Tensor scores = (embeddings * query).sum(2).to(at::kFloat).masked_fill(absent, -1e30);
  const at::Tensor share = at::softmax(scores, 1).masked_fill(absent, 0);
  const at::Tensor none = at::zeros({ids.size(0), w.word.size(0)}, share.options());
  CandidateTerms terms;
  terms.probability = none.scatter_add(1, safe, share);
  terms.listed = none.scatter_add(1, safe, absent.logical_not().to(at::kFloat)).gt(0);
  const at::Tensor open = absent.logical_not().any(1).logical_and(in.masked.logical_not()).to(at::kFloat);
  const at::Tensor seen = d.defined() ? d : at::zeros_like(open);
  const at::Tensor features = at::cat({target.to(at::kFloat), seen.unsqueeze(1)}, 1);
  const at::Tensor gate = at::sigmoid(at::mv(features, w.gate.weight.select(0, 0)) + w.gate.bias);
  terms.alpha = c.output == Output::kCandidates ? open : gate * open;
  return terms;
}

}  // namespace

LossSums full_distribution_losses(const Weights& w, const ModelConfig& c, const Inputs& in,
                                  const at::Tensor& hidden, const at::Tensor& table,
                                  const LossOptions& options) {
  const at::Tensor logits = vocabulary_logits(w, c, hidden);  // at every slot
  const at::Tensor softmax = at::softmax(logits, 1);
  const at::Tensor target = hidden.index_select(0, in.target_slots),
                   source = hidden.index_select(0, in.source_slots);
  const at::Tensor y = in.labels.unsqueeze(1), wrong = in.source.ne(in.labels);
  const at::Tensor weight = at::where(wrong, options.wrong_weight, 1.0).to(at::kFloat);
  const at::Tensor shown = in.masked.logical_not();
  LossSums sums;
  at::Tensor d;
  if (c.has_detector()) {
    const at::Tensor logit = detector(w, source);
    const bool published = c.candidate_source == CandidateSource::kAsPublished;
    d = at::sigmoid(published ? detector(w, target) : logit);
    const at::Tensor log_yes = at::log_sigmoid(logit), log_no = at::log_sigmoid(-logit);
    sums.detection = -at::where(wrong, options.detection_pos_weight * log_yes, log_no).sum();
  }
  at::Tensor p = softmax.index_select(0, in.target_slots);
  if (c.has_candidates()) {
    const CandidateTerms terms = candidate_terms(w, c, in, target, d, table);
    p = (1 - terms.alpha).unsqueeze(1) * p + terms.alpha.unsqueeze(1) * terms.probability;
    const at::Tensor answer = terms.probability.gather(1, y);
    const at::Tensor ranked = terms.listed.gather(1, y).squeeze(1).logical_and(shown).unsqueeze(1);
    const at::Tensor others = terms.listed.scatter(1, y, false).logical_and(ranked).to(at::kFloat);
    sums.rank = (at::relu(options.rank_margin - answer + terms.probability) * others).sum();
  }
  sums.correction = -(weight * (p.gather(1, y).squeeze(1) + 1e-10).log()).sum();
  if (in.masked_index.size(0) > 0) {
    const at::Tensor at_source = softmax.index_select(0, in.source_slots).gather(1, y).squeeze(1);
    const at::Tensor log_p =
        at::log_softmax(logits, 1).index_select(0, in.source_slots).gather(1, y).squeeze(1);
    const at::Tensor hidden_ones = in.masked.to(at::kFloat);
    sums.correction = sums.correction - (weight * hidden_ones * (at_source + 1e-10).log()).sum();
    sums.auxiliary = -(hidden_ones * log_p).sum();
  }
  return sums;
}

}  // namespace relmpi
