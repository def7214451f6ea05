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

// The changes of one rank's sentences as bytes, for the gather at rank 0.
class Packer {
 public:
  void add(std::int64_t sentence, const std::vector<Change>& changes) {
    put(sentence);
    put(static_cast<std::int64_t>(changes.size()));
    for (const Change& change : changes) put(change);
  }
  std::string bytes;

 private:
  template <typename T>
  void put(const T& value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
};

void unpack(const std::string& bytes, std::vector<std::vector<Change>>& changes, std::vector<bool>& seen) {
  std::size_t at = 0;
  const auto take = [&](auto& value) {
    RELMPI_CHECK(at + sizeof(value) <= bytes.size(), "a rank's rows are cut off");
    std::memcpy(&value, bytes.data() + at, sizeof(value));
    at += sizeof(value);
  };
  while (at < bytes.size()) {
    std::int64_t sentence = 0, count = 0;
    take(sentence);
    take(count);
    RELMPI_CHECK(!seen.at(static_cast<std::size_t>(sentence)), "sentence {} came twice", sentence);
    seen[static_cast<std::size_t>(sentence)] = true;
    auto& list = changes[static_cast<std::size_t>(sentence)];
    list.resize(static_cast<std::size_t>(count));
    for (Change& change : list) take(change);
  }
}

// Further passes over one batch; what is left of the changes afterwards is what all passes together made,
// already decided.
void refine(const Corrector& corrector, const std::vector<SentenceIds>& source,
            const DecisionThresholds& thresholds, int passes, std::vector<Proposal>& proposals) {
  std::vector<SentenceIds> text;
  for (std::size_t b = 0; b < source.size(); ++b)
    text.push_back(with_changes(source[b], proposals[b].changes, thresholds));
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
  Packer packer;
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
    std::vector<SentenceIds> source, target;
    const std::vector<std::int64_t>& batch = batches[static_cast<std::size_t>(*b)];
    for (const std::int64_t i : batch) {
      source.push_back(pairs.source[static_cast<std::size_t>(i)]);
      target.push_back(pairs.target[static_cast<std::size_t>(i)]);
    }
    auto proposals = options.losses ? corrector.propose(source, target, local.sums, local.counts)
                                    : corrector.propose(source, Gating::kModel);
    if (options.passes > 1) refine(corrector, source, thresholds, options.passes, proposals);
    for (std::size_t row = 0; row < source.size(); ++row)
      local.packer.add(batch[row], proposals[row].changes);
    progress.update(*b + 1);
  }
  return local;
}

double reduced_loss(LocalResult& local, Communicator& communicator) {
  std::array<std::int64_t, 4> counts{local.counts.positions, local.counts.characters, local.counts.ranked,
                                     local.counts.masked};
  add_up(communicator, counts);
  communicator.all_reduce_host(local.sums.data_ptr(), 4, ReduceType::kFloat64);
  const LossOptions options;
  const std::array<double, 4> weights{1.0, options.detection, options.rank, options.auxiliary};
  double loss = 0;
  for (std::size_t term = 0; term < 4; ++term)
    if (counts[term] > 0)
      loss += weights[term] * local.sums.const_data_ptr<double>()[term] / static_cast<double>(counts[term]);
  return loss;
}

bool asked_to_stop(Communicator& communicator) {
  std::int64_t asked = stop_signal() != 0;
  add_up(communicator, {&asked, 1});
  return asked > 0;
}

}  // namespace

void EvaluateOptions::validate() const {
  if (passes < 1 || passes > 100) throw InputError("--passes is {}, but must be 1 to 100", passes);
  if (batch < 1) throw InputError("--batch is {}, but must be at least 1", batch);
  if (limit < 0) throw InputError("--limit is {}, but must be at least 0 (0 = all)", limit);
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
  const auto packed = communicator.gather_bytes(local.packer.bytes);
  if (communicator.rank() == 0) {
    std::vector<std::vector<Change>> changes(static_cast<std::size_t>(count));
    std::vector<bool> seen(static_cast<std::size_t>(count), false);
    for (const std::string& bytes : packed) unpack(bytes, changes, seen);
    for (std::size_t i = 0; i < seen.size(); ++i)
      RELMPI_CHECK(seen[i] || !corrector.fits(pairs.source[i]), "no rank sent sentence {}", i);
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
