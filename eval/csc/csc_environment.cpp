#include "eval/csc/csc_environment.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <set>

#include "base/error.h"

namespace relmpi {
namespace {

std::size_t slot(Action action) {
  RELMPI_CHECK(action != Action::kTerminate, "terminate leads nowhere");
  return action == Action::kReason ? 0 : 1;
}

}  // namespace

CorrectionStates::CorrectionStates(const Corrector& corrector, const PassThresholds& thresholds,
                                   std::vector<SentenceIds> sources, std::vector<SentenceIds> targets)
    : corrector_(corrector), thresholds_(thresholds), targets_(std::move(targets)) {
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    State root;
    root.item = static_cast<std::int64_t>(i);
    root.text = std::move(sources[i]);
    root.correct = root.text == targets_[i];
    states_.push_back(std::move(root));
  }
}

void CorrectionStates::run_missing(const std::vector<std::int64_t>& ids, Action action) {
  auto& passes = passes_[slot(action)];
  std::set<SentenceIds> missing;
  for (const std::int64_t id : ids)
    if (!passes.contains(state(id).text)) missing.insert(state(id).text);
  if (missing.empty()) return;
  const std::vector<SentenceIds> texts(missing.begin(), missing.end());
  const bool retrieve = action == Action::kRetrieve;
  const auto begin = std::chrono::steady_clock::now();
  const auto proposals = corrector_.propose(texts, retrieve ? Gating::kModel : Gating::kLanguageModelOnly);
  const double ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    Pass pass;
    pass.text = decide(texts[i], proposals[i], retrieve ? thresholds_.retrieve : thresholds_.reason,
                       &pass.confidence);
    pass.ms = ms / static_cast<double>(texts.size());
    passes.emplace(texts[i], std::move(pass));
  }
}

std::vector<std::int64_t> CorrectionStates::step(const std::vector<std::int64_t>& ids, Action action) {
  run_missing(ids, action);
  std::vector<std::int64_t> out;
  for (const std::int64_t id : ids) {
    if (state(id).child[slot(action)] < 0) {
      const Pass& pass = passes_[slot(action)].at(state(id).text);
      State next;
      next.item = state(id).item;
      next.depth = state(id).depth + 1;
      next.action = action;
      next.text = pass.text;
      const bool changed = next.text != state(id).text;
      next.evidence = changed || state(id).depth == 0 ? Evidence{action, next.depth, pass.confidence}
                                                      : state(id).evidence;
      if (!changed) {
        std::copy(std::begin(state(id).settled), std::end(state(id).settled), next.settled);
        next.settled[slot(action)] = true;
      }
      next.correct = next.text == target(next.item);
      next.cost_tokens = corrector_.forward_tokens(next.text);
      next.cost_ms = pass.ms;
      states_[static_cast<std::size_t>(id)].child[slot(action)] = static_cast<std::int64_t>(states_.size());
      states_.push_back(std::move(next));
    }
    out.push_back(state(id).child[slot(action)]);
  }
  return out;
}

}  // namespace relmpi
