#include "eval/csc/csc_environment.h"

#include <array>
#include <chrono>
#include <map>
#include <set>

#include "base/error.h"
#include "eval/csc/metrics.h"
#include "eval/csc/thresholds.h"

namespace relmpi {
namespace {

std::vector<bool> right_as_written(const SentencePairs& pairs) {
  std::vector<bool> right;
  for (std::size_t i = 0; i < pairs.source.size(); ++i) right.push_back(pairs.source[i] == pairs.target[i]);
  return right;
}

std::u32string as_text(const SentenceIds& ids) { return {ids.begin(), ids.end()}; }

// A pass over a text is run once, however many states have the text.
class CscEpisodes final : public Episodes {
 public:
  CscEpisodes(const Corrector& corrector, const DecisionThresholds& retrieve,
              const DecisionThresholds& reason, SentencePairs pairs)
      : Episodes(right_as_written(pairs)),
        corrector_(corrector),
        thresholds_{reason, retrieve},
        targets_(std::move(pairs.target)),
        texts_(std::move(pairs.source)) {}

  std::vector<std::int64_t> tally(Id end) const override {
    const std::int64_t item = state(end).item;
    OutcomeCounts counts;
    counts.add(correction_outcome(as_text(text(root(item))), as_text(target(item)), as_text(text(end))));
    return {counts.tp, counts.fp, counts.fn, counts.wp, counts.tn};
  }

 protected:
  std::vector<Result> run(std::span<const Id> from, std::span<const Id> /*children*/,
                          Action action) override {
    run_missing(from, action);
    std::vector<Result> results;
    for (const Id id : from) {
      const Pass& pass = passes_[step_index(action)].at(text(id));
      results.push_back({.changed = pass.text != text(id),
                         .correct = pass.text == target(state(id).item),
                         .confidence = pass.confidence,
                         .cost = {.tokens = corrector_.forward_tokens(pass.text), .ms = pass.ms}});
      texts_.push_back(pass.text);
    }
    return results;
  }

 private:
  // What a pass over a text gives.
  struct Pass {
    SentenceIds text;
    double confidence = 0;  // sum of log p of the characters as decided
    double ms = 0;
  };

  const SentenceIds& text(Id id) const { return texts_[static_cast<std::size_t>(id)]; }
  const SentenceIds& target(std::int64_t item) const { return targets_[static_cast<std::size_t>(item)]; }

  void run_missing(std::span<const Id> from, Action action) {
    auto& passes = passes_[step_index(action)];
    std::set<SentenceIds> missing;
    for (const Id id : from)
      if (!passes.contains(text(id))) missing.insert(text(id));
    if (missing.empty()) return;
    const std::vector<SentenceIds> batch(missing.begin(), missing.end());
    const auto begin = std::chrono::steady_clock::now();
    const auto proposals =
        corrector_.propose(batch, action == Action::kRetrieve ? Gating::kModel : Gating::kLanguageModelOnly);
    const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - begin;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const DecisionThresholds& accepted = thresholds_[step_index(action)];
      passes.emplace(batch[i], Pass{.text = with_changes(batch[i], proposals[i].changes, accepted),
                                    .confidence = log_confidence(proposals[i], accepted),
                                    .ms = ms.count() / static_cast<double>(batch.size())});
    }
  }

  const Corrector& corrector_;
  std::array<DecisionThresholds, 2> thresholds_;       // by step_index
  std::vector<SentenceIds> targets_;                   // by item
  std::vector<SentenceIds> texts_;                     // by state
  std::array<std::map<SentenceIds, Pass>, 2> passes_;  // by step_index and text
};

}  // namespace

void CscEnvironmentOptions::validate() const {
  demand(limit >= 0, "--limit", limit, "at least 0 (0 = all)");
  demand(group >= 1, "--batch", group, "at least 1");
}

CscEnvironment::CscEnvironment(const Corrector& corrector, const Dataset& calibration,
                               const Dataset& reported, const DecisionThresholds& thresholds,
                               const CscEnvironmentOptions& options)
    : corrector_(corrector),
      calibration_(read_sentence_pairs(calibration, 0)),
      reported_(read_sentence_pairs(reported, options.limit)),
      calibration_fingerprint_(calibration.fingerprint()),
      reported_fingerprint_(reported.fingerprint()),
      retrieve_(thresholds),
      reason_(thresholds),
      group_(options.group) {
  options.validate();
}

std::vector<std::vector<std::int64_t>> CscEnvironment::groups(Split split) const {
  return length_groups(corrector_.longest(), pairs(split), group_);
}

void CscEnvironment::demand_disjoint() const {
  const std::set<SentenceIds> seen(calibration_.target.begin(), calibration_.target.end());
  std::int64_t shared = 0;
  for (const SentenceIds& target : reported_.target) shared += seen.contains(target);
  if (shared > 0)
    throw InputError(
        "{} of {} sentences of --data are in --calibration too: what is fitted would be reported on itself. "
        "Give two disjoint splits (relmpi-data shard --split)",
        shared, reported_.target.size());
}

void CscEnvironment::fit(Communicator& communicator) {
  reason_ =
      fit_reason_thresholds(corrector_, calibration_, groups(Split::kCalibration), retrieve_, communicator);
}

std::unique_ptr<Episodes> CscEnvironment::open(Split split, std::span<const std::int64_t> items) const {
  return std::make_unique<CscEpisodes>(corrector_, retrieve_, reason_, select(pairs(split), items));
}

std::vector<Figure> CscEnvironment::figures(std::span<const std::int64_t> tally) const {
  const OutcomeCounts counts{.tp = tally[0], .fp = tally[1], .fn = tally[2], .wp = tally[3], .tn = tally[4]};
  return {{"precision", counts.precision()},
          {"recall", counts.recall()},
          {"f1", counts.f1()},
          {"fpr", counts.fpr()}};
}

nlohmann::ordered_json CscEnvironment::header() const {
  const auto thresholds = [](const DecisionThresholds& t) {
    return nlohmann::ordered_json{{"detect", t.detect}, {"gate", t.gate}, {"margin", t.margin}};
  };
  std::int64_t too_long = 0;
  for (const SentenceIds& ids : reported_.source) too_long += !corrector_.fits(ids);
  return {{"retrieve_thresholds", thresholds(retrieve_)},
          {"reason_thresholds", thresholds(reason_)},
          {"too_long", too_long},
          {"data", reported_fingerprint_},
          {"calibration_data", calibration_fingerprint_}};
}

}  // namespace relmpi
