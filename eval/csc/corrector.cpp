#include "eval/csc/corrector.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "base/error.h"

namespace relmpi {
namespace {

// A batch that owns its rows.
struct Rows {
  std::vector<std::int32_t> source, target, lengths;
  std::vector<std::int64_t> sentences;
  Batch batch;
};

// Filled with zeros to the width of the longest.
std::vector<std::int32_t> end_to_end(const std::vector<SentenceView>& sentences, std::size_t width) {
  std::vector<std::int32_t> rows(sentences.size() * width, 0);
  for (std::size_t b = 0; b < sentences.size(); ++b)
    std::ranges::copy(sentences[b], rows.begin() + static_cast<std::ptrdiff_t>(b * width));
  return rows;
}

// Without targets each sentence is its own.
Rows as_rows(const std::vector<SentenceView>& sentences, const std::vector<SentenceView>& targets) {
  Rows rows;
  std::size_t width = 0;
  for (const SentenceView ids : sentences) {
    width = std::max(width, ids.size());
    rows.lengths.push_back(static_cast<std::int32_t>(ids.size()));
    rows.sentences.push_back(std::ssize(rows.sentences));
  }
  rows.source = end_to_end(sentences, width);
  rows.target = end_to_end(targets, width);
  rows.batch = {.rows = std::ssize(sentences),
                .width = static_cast<std::int64_t>(width),
                .source = rows.source.data(),
                .target = targets.empty() ? rows.source.data() : rows.target.data(),
                .lengths = rows.lengths.data(),
                .sentences = rows.sentences.data()};
  return rows;
}

std::vector<Proposal> as_proposals(const std::vector<SentenceView>& sentences, const Predictions& p,
                                   const Vocabulary& vocabulary) {
  const at::Tensor best = p.best.to(at::kCPU).contiguous();
  const at::Tensor numbers =
      at::stack({p.best_log_p, p.source_log_p, p.d, p.alpha}).to(at::kCPU).contiguous();
  const std::int64_t n = best.size(0);
  const std::int64_t* ids = best.const_data_ptr<std::int64_t>();
  const float* best_log_p = numbers.const_data_ptr<float>();
  const float *source_log_p = best_log_p + n, *d = source_log_p + n, *alpha = d + n;
  std::vector<Proposal> out(sentences.size());
  std::int64_t at_character = 0;
  for (std::size_t b = 0; b < sentences.size(); ++b) {
    Proposal& proposal = out[b];
    for (std::size_t i = 0; i < sentences[b].size(); ++i, ++at_character) {
      const auto id = static_cast<std::int32_t>(ids[at_character]);
      proposal.source_log_p.push_back(source_log_p[at_character]);
      proposal.best_log_p.push_back(best_log_p[at_character]);
      // A token that is not a character ([UNK], "##a") cannot be written down.
      const bool writable = id < vocabulary.size() && vocabulary.character(id) != 0;
      if (id == sentences[b][i] || !writable) continue;
      proposal.changes.push_back({.position = static_cast<std::int32_t>(i),
                                  .id = id,
                                  .margin = best_log_p[at_character] - source_log_p[at_character],
                                  .d = d[at_character],
                                  .alpha = alpha[at_character]});
    }
  }
  return out;
}

template <typename Text, typename Symbol>
void make_changes(Text& text, const std::vector<Change>& changes, const DecisionThresholds& thresholds,
                  const Symbol& symbol_of) {
  for (const Change& change : changes)
    if (accepts(thresholds, change)) text[static_cast<std::size_t>(change.position)] = symbol_of(change.id);
}

}  // namespace

bool accepts(const DecisionThresholds& t, const Change& change) {
  return change.d >= t.detect && change.alpha >= t.gate && change.margin >= t.margin;
}

SentenceIds with_changes(SentenceIds source, const std::vector<Change>& changes,
                         const DecisionThresholds& thresholds) {
  make_changes(source, changes, thresholds, [](std::int32_t id) { return id; });
  return source;
}

std::u32string with_changes(std::u32string source, const std::vector<Change>& changes,
                            const DecisionThresholds& thresholds, const Vocabulary& vocabulary) {
  make_changes(source, changes, thresholds, [&](std::int32_t id) { return vocabulary.character(id); });
  return source;
}

double log_confidence(const Proposal& proposal, const DecisionThresholds& thresholds) {
  double sum = 0;
  for (const float log_p : proposal.source_log_p) sum += std::max(-30.0F, log_p);
  for (const Change& change : proposal.changes) {
    if (!accepts(thresholds, change)) continue;
    const auto i = static_cast<std::size_t>(change.position);
    sum += proposal.best_log_p[i] - std::max(-30.0F, proposal.source_log_p[i]);
  }
  return sum;
}

Corrector::Corrector(const Predictor& predictor)
    : predictor_(predictor),
      builder_(predictor.model().config, *predictor.model().vocabulary, predictor.model().candidates) {}

std::vector<Proposal> Corrector::propose(const std::vector<SentenceView>& sentences, Gating gating) const {
  const Rows rows = as_rows(sentences, {});
  const Inputs inputs = builder_.build(rows.batch, {}, predictor_.device());
  return as_proposals(sentences, predictor_.predict(inputs, gating), *model().vocabulary);
}

std::vector<Proposal> Corrector::propose(const std::vector<SentenceView>& sentences,
                                         const std::vector<SentenceView>& targets, at::Tensor& sums,
                                         LossCounts& counts) const {
  const Rows rows = as_rows(sentences, targets);
  LossCounts part;
  const Inputs inputs = builder_.build(rows.batch, {}, predictor_.device(), &part);
  LossSums losses;
  auto proposals =
      as_proposals(sentences, predictor_.predict(inputs, LossOptions{}, losses), *model().vocabulary);
  sums += losses.stacked().to(at::kCPU, at::kDouble);
  counts += part;
  return proposals;
}

std::int64_t Corrector::forward_tokens(const SentenceIds& sentence) const {
  return 2 * static_cast<std::int64_t>(sentence.size()) + 2 * model().config.border();
}

}  // namespace relmpi
