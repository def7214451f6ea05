#include "eval/csc/evaluate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <numeric>

#include "base/error.h"
#include "base/progress.h"
#include "data/loader/sentence_groups.h"
#include "dist/ranks/share.h"
#include "dist/ranks/signals.h"
#include "eval/csc/thresholds.h"

namespace relmpi {
namespace {

// What was found for a sentence, as bytes for the gather at rank 0.
std::string as_bytes(const std::vector<Change>& changes) {
  return {reinterpret_cast<const char*>(changes.data()), changes.size() * sizeof(Change)};
}

std::vector<Change> as_changes(const std::string& bytes) {
  RELMPI_CHECK(bytes.size() % sizeof(Change) == 0, "a rank's rows are cut off");
  std::vector<Change> changes(bytes.size() / sizeof(Change));
  if (!bytes.empty()) std::memcpy(changes.data(), bytes.data(), bytes.size());
  return changes;
}

// By sentence; those of the sentences that no rank ran stay empty: they do not fit the model.
std::vector<std::vector<Change>> changes_of(const std::vector<NumberedLine>& lines,
                                            const std::vector<SentenceIds>& source,
                                            const Corrector& corrector) {
  std::vector<std::vector<Change>> changes(source.size());
  std::vector<bool> seen(source.size(), false);
  for (const auto& [number, line] : lines) {
    const auto sentence = static_cast<std::size_t>(number);
    RELMPI_CHECK(!seen.at(sentence), "sentence {} came twice", sentence);
    seen[sentence] = true;
    changes[sentence] = as_changes(line);
  }
  for (std::size_t i = 0; i < seen.size(); ++i)
    RELMPI_CHECK(seen[i] || !corrector.fits(source[i]), "no rank sent sentence {}", i);
  return changes;
}

// Further passes over one batch; what is left of the changes afterwards is what all passes together made,
// already decided.
void refine(const Corrector& corrector, const std::vector<SentenceView>& source,
            const DecisionThresholds& thresholds, int passes, std::vector<Proposal>& proposals) {
  std::vector<SentenceIds> text;
  for (std::size_t b = 0; b < source.size(); ++b)
    text.push_back(with_changes({source[b].begin(), source[b].end()}, proposals[b].changes, thresholds));
  for (int pass = 1; pass < passes; ++pass) {
    const auto next = corrector.propose(text, Gating::kModel);
    for (std::size_t b = 0; b < text.size(); ++b)
      text[b] = with_changes(text[b], next[b].changes, thresholds);
  }
  for (std::size_t b = 0; b < source.size(); ++b) {
    proposals[b].changes.clear();
    for (std::size_t i = 0; i < source[b].size(); ++i)
      if (text[b][i] != source[b][i])
        proposals[b].changes.push_back({.position = static_cast<std::int32_t>(i),
                                        .id = text[b][i],
                                        .margin = std::numeric_limits<float>::infinity(),
                                        .d = 1,
                                        .alpha = 1});
  }
}

struct LocalResult {
  std::vector<NumberedLine> lines;  // the changes of each sentence
  at::Tensor sums = at::zeros({4}, at::kDouble);
  LossCounts counts;
};

LocalResult run_batches(const Corrector& corrector, const SentencePairs& pairs,
                        const DecisionThresholds& thresholds, const Communicator& communicator,
                        const EvaluateOptions& options) {
  const auto batches = length_groups(corrector.longest(), pairs, options.batch);
  LocalResult local;
  Progress progress("evaluating", static_cast<std::int64_t>(batches.size()),
                    options.progress && communicator.rank() == 0);
  for (Share share(communicator, std::ssize(batches)); const auto b = share.next();) {
    if (options.stoppable && stop_signal() != 0) break;
    std::vector<SentenceView> source, target;
    const std::vector<std::int64_t>& batch = batches[static_cast<std::size_t>(*b)];
    for (const std::int64_t i : batch) {
      source.emplace_back(pairs.source[static_cast<std::size_t>(i)]);
      target.emplace_back(pairs.target[static_cast<std::size_t>(i)]);
    }
    auto proposals = options.losses ? corrector.propose(source, target, local.sums, local.counts)
                                    : corrector.propose(source, Gating::kModel);
    if (options.passes > 1) refine(corrector, source, thresholds, options.passes, proposals);
    for (std::size_t row = 0; row < source.size(); ++row)
      local.lines.push_back({batch[row], as_bytes(proposals[row].changes)});
    progress.update(*b + 1);
  }
  return local;
}

double reduced_loss(LocalResult& local, Communicator& communicator) {
  LossCounts& n = local.counts;
  std::array<std::int64_t, 4> counts{n.positions, n.characters, n.ranked, n.masked};
  add_up(communicator, counts);
  communicator.all_reduce_host(local.sums.data_ptr(), 4, ReduceType::kFloat64);
  n = {.positions = counts[0], .characters = counts[1], .ranked = counts[2], .masked = counts[3]};
  return loss_means(local.sums, n).total();
}

bool asked_to_stop(Communicator& communicator) {
  std::int64_t asked = stop_signal() != 0;
  add_up(communicator, {&asked, 1});
  return asked > 0;
}

}  // namespace

void EvaluateOptions::validate() const {
  demand(passes >= 1 && passes <= 100, "--passes", passes, "1 to 100");
  demand(batch >= 1, "--batch", batch, "at least 1");
  demand(limit >= 0, "--limit", limit, "at least 0 (0 = all)");
  if (tune && passes > 1)
    throw InputError("thresholds are tuned on one pass: use --tune-thresholds without --passes {}", passes);
}

Evaluation evaluate(const Corrector& corrector, const Dataset& dataset, const DecisionThresholds& thresholds,
                    Communicator& communicator, const EvaluateOptions& options) {
  options.validate();
  const auto start = std::chrono::steady_clock::now();
  const std::int64_t count =
      options.limit > 0 ? std::min(options.limit, dataset.sentences()) : dataset.sentences();
  const SentencePairs pairs = read_sentence_pairs(dataset, count);
  LocalResult local = run_batches(corrector, pairs, thresholds, communicator, options);
  Evaluation out;
  out.thresholds = thresholds;
  if (options.stoppable && asked_to_stop(communicator)) {
    out.interrupted = true;
    return out;
  }
  for (const SentenceIds& ids : pairs.source) out.too_long += !corrector.fits(ids);
  if (options.losses) out.loss = reduced_loss(local, communicator);
  const std::vector<NumberedLine> lines = gather_lines(communicator, local.lines);
  if (communicator.rank() == 0) {
    const auto changes = changes_of(lines, pairs.source, corrector);
    if (options.tune) out.thresholds = tune_thresholds(pairs.source, pairs.target, changes, thresholds);
    for (std::int64_t i = 0; i < count; ++i) {
      TextPair text = dataset.text(i);
      std::u32string prediction = with_changes(text.source, changes[static_cast<std::size_t>(i)],
                                               out.thresholds, *corrector.model().vocabulary);
      out.metrics.add(text.source, text.target, prediction);
      out.rows.push_back({i, std::move(text.source), std::move(text.target), std::move(prediction)});
    }
  }
  // Other ranks learn what rank 0 found.
  std::string summary(sizeof(CscMetrics) + sizeof(DecisionThresholds), '\0');
  std::memcpy(summary.data(), &out.metrics, sizeof(CscMetrics));
  std::memcpy(summary.data() + sizeof(CscMetrics), &out.thresholds, sizeof(DecisionThresholds));
  summary = communicator.broadcast_bytes(std::move(summary));
  std::memcpy(&out.metrics, summary.data(), sizeof(CscMetrics));
  std::memcpy(&out.thresholds, summary.data() + sizeof(CscMetrics), sizeof(DecisionThresholds));
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return out;
}

}  // namespace relmpi
