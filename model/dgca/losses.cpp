#include "model/dgca/losses.h"

#include <ATen/ATen.h>

#include "model/dgca/vocabulary_head.h"

namespace relmpi {
namespace {

constexpr double kEpsilon = 1e-10;

// log softmax(z)_y if the vocabulary takes part.
struct VocabularyTerms {
  at::Tensor target;  // (N) for the mixture, (N') at open_index for candidates alone
  at::Tensor source;  // (M) at the masked source slots
};

VocabularyTerms vocabulary_terms(const Weights& w, const ModelConfig& c, const Inputs& in, const Heads& heads,
                                 std::int64_t chunk) {
  const bool all = c.output == Output::kMixture || !c.has_candidates();
  const at::Tensor target = all ? heads.target_hidden : heads.target_hidden.index_select(0, in.open_index);
  const at::Tensor target_labels = all ? in.labels : in.labels.index_select(0, in.open_index);
  const at::Tensor hidden = at::cat({target, heads.source_hidden.index_select(0, in.masked_index)});
  const at::Tensor labels = at::cat({target_labels, in.labels.index_select(0, in.masked_index)});
  if (labels.size(0) == 0) return {labels.to(at::kFloat), labels.to(at::kFloat)};
  const at::Tensor log_p = vocabulary_log_probability(transform(w, c, hidden), w.word, w.word_compute,
                                                      w.vocabulary_bias, labels, chunk);
  const std::int64_t targets = target.size(0);
  return {log_p.narrow(0, 0, targets), log_p.narrow(0, targets, labels.size(0) - targets)};
}

// p_y at the N target slots.
at::Tensor answer_probability(const ModelConfig& c, const Inputs& in, const Heads& heads,
                              const at::Tensor& answer_pc, const VocabularyTerms& terms) {
  if (!c.has_candidates()) return terms.target.exp();
  if (c.output == Output::kMixture) return (1 - heads.alpha) * terms.target.exp() + heads.alpha * answer_pc;
  return answer_pc.index_copy(0, in.open_index, terms.target.exp());
}

at::Tensor rank_sum(const Heads& heads, const Inputs& in, const at::Tensor& is_answer,
                    const at::Tensor& answer_pc, double margin) {
  const at::Tensor other = heads.candidates.ge(0).logical_and(is_answer.logical_not());
  const at::Tensor ranked = is_answer.any(1).logical_and(in.masked.logical_not());
  const at::Tensor hinge = at::relu(margin - answer_pc.unsqueeze(1) + heads.candidate_probability);
  return (hinge * other.logical_and(ranked.unsqueeze(1))).sum();
}

template <typename Mean>
Mean weighted(const Mean& correction, const Mean& detection, const Mean& rank, const Mean& auxiliary,
              const LossOptions& options) {
  return correction + options.detection * detection + options.rank * rank + options.auxiliary * auxiliary;
}

}  // namespace

at::Tensor LossSums::stacked() const {
  std::vector<at::Tensor> terms;
  for (const at::Tensor& term : {correction, detection, rank, auxiliary})
    terms.push_back(term.defined() ? term.detach() : at::zeros({}, correction.options()));
  return at::stack(terms);
}

LossSums loss_sums(const Weights& w, const ModelConfig& c, const Inputs& in, const Heads& heads,
                   const LossOptions& options) {
  LossSums sums;
  const VocabularyTerms terms = vocabulary_terms(w, c, in, heads, options.vocabulary_chunk);
  const at::Tensor wrong = in.source.ne(in.labels);
  const at::Tensor weight = wrong * (options.wrong_weight - 1) + 1;  // fp32
  at::Tensor is_answer, answer_pc;
  if (c.has_candidates()) {
    is_answer = heads.candidates.eq(in.labels.unsqueeze(1));
    answer_pc = (heads.candidate_probability * is_answer).sum(1);
    if (c.output == Output::kCandidates) answer_pc = answer_pc * heads.alpha;  // masked: no candidates
    sums.rank = rank_sum(heads, in, is_answer, answer_pc, options.rank_margin);
  }
  const at::Tensor p = answer_probability(c, in, heads, answer_pc, terms);
  sums.correction = -(weight * (p + kEpsilon).log()).sum();
  if (in.masked_index.size(0) > 0) {
    const at::Tensor masked_weight = weight.index_select(0, in.masked_index);
    sums.correction = sums.correction - (masked_weight * (terms.source.exp() + kEpsilon).log()).sum();
    sums.auxiliary = -terms.source.sum();
  }
  if (c.has_detector())
    sums.detection = at::binary_cross_entropy_with_logits(
        heads.detector_logits, wrong.to(at::kFloat), {},
        at::full({}, options.detection_pos_weight, p.options()), at::Reduction::Sum);
  return sums;
}

at::Tensor total_loss(const LossSums& sums, const LossCounts& counts, const LossOptions& options) {
  const auto mean = [&](const at::Tensor& sum, std::int64_t count) {
    return sum.defined() && count > 0 ? sum / static_cast<double>(count)
                                      : at::zeros({}, sums.correction.options());
  };
  return weighted(mean(sums.correction, counts.positions), mean(sums.detection, counts.characters),
                  mean(sums.rank, counts.ranked), mean(sums.auxiliary, counts.masked), options);
}

double LossMeans::total(const LossOptions& options) const {
  return weighted(correction, detection, rank, auxiliary, options);
}

LossMeans loss_means(const at::Tensor& sums, const LossCounts& counts) {
  const double* sum = sums.const_data_ptr<double>();
  const auto mean = [](double all, std::int64_t count) {
    return count > 0 ? all / static_cast<double>(count) : 0.0;
  };
  return {.correction = mean(sum[0], counts.positions),
          .detection = mean(sum[1], counts.characters),
          .rank = mean(sum[2], counts.ranked),
          .auxiliary = mean(sum[3], counts.masked)};
}

}  // namespace relmpi
