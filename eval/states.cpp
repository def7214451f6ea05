#include "eval/states.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"

namespace relmpi {

CorrectionStates::CorrectionStates(const Corrector& corrector, DecisionThresholds thresholds,
                                   std::vector<std::int64_t> items, std::vector<SentenceIds> sources,
                                   std::vector<SentenceIds> targets)
    : corrector_(corrector), thresholds_(thresholds), items_(std::move(items)), targets_(std::move(targets)) {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    State root;
    root.item = static_cast<std::int64_t>(i);
    root.text = std::move(sources[i]);
    root.correct = root.text == targets_[i];
    states_.push_back(std::move(root));
  }
}

std::vector<std::int64_t> CorrectionStates::step(const std::vector<std::int64_t>& ids, Action action) {
  RELMPI_CHECK(action != Action::kTerminate, "terminate leads nowhere");
  const std::size_t slot = action == Action::kReason ? 0 : 1;
  std::vector<std::int64_t> missing;
  for (const std::int64_t id : ids)
    if (state(id).child[slot] < 0 && std::find(missing.begin(), missing.end(), id) == missing.end())
      missing.push_back(id);
  if (!missing.empty()) {
    std::vector<SentenceIds> texts;
    for (const std::int64_t id : missing) texts.push_back(state(id).text);
    const auto begin = std::chrono::steady_clock::now();
    const Gating gating = action == Action::kRetrieve ? Gating::kModel : Gating::kLanguageModelOnly;
    const auto proposals = corrector_.propose(texts, gating);
    const double ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    for (std::size_t k = 0; k < missing.size(); ++k) {
      State next;
      next.item = state(missing[k]).item;
      next.action = action;
      next.text = decide(texts[k], proposals[k], thresholds_, &next.confidence);
      next.correct = next.text == target(next.item);
      next.cost_tokens = corrector_.forward_tokens(texts[k]);
      next.cost_ms = ms / static_cast<double>(missing.size());
      states_[static_cast<std::size_t>(missing[k])].child[slot] = static_cast<std::int64_t>(states_.size());
      states_.push_back(std::move(next));
    }
  }
  std::vector<std::int64_t> out;
  for (const std::int64_t id : ids) out.push_back(state(id).child[slot]);
  return out;
}

}  // namespace relmpi
