#include "eval/csc/reason_thresholds.h"

#include <algorithm>

#include "dist/ranks/share.h"
#include "eval/csc/thresholds.h"

namespace relmpi {

DecisionThresholds fit_reason_thresholds(const Corrector& corrector, const SentencePairs& pairs,
                                         const std::vector<std::vector<std::int64_t>>& groups,
                                         const DecisionThresholds& retrieve, Communicator& communicator) {
  const std::vector<DecisionThresholds> grid = threshold_grid(retrieve);
  std::vector<std::int64_t> right(grid.size(), 0);
  for (Share share(communicator, std::ssize(groups)); const auto g = share.next();) {
    std::vector<SentenceIds> written, target;
    for (const std::int64_t i : groups[static_cast<std::size_t>(*g)]) {
      written.push_back(pairs.source[static_cast<std::size_t>(i)]);
      target.push_back(pairs.target[static_cast<std::size_t>(i)]);
    }
    const auto first = corrector.propose(written, Gating::kModel);
    std::vector<SentenceIds> retrieved;
    for (std::size_t i = 0; i < written.size(); ++i)
      retrieved.push_back(decide(written[i], first[i], retrieve));
    for (const auto& text : {written, retrieved}) {
      std::vector<std::vector<Change>> changes;
      for (const Proposal& proposal : corrector.propose(text, Gating::kLanguageModelOnly))
        changes.push_back(proposal.changes);
      for (std::size_t k = 0; k < grid.size(); ++k) right[k] += count_right(text, target, changes, grid[k]);
    }
  }
  add_up(communicator, right);
  return grid[static_cast<std::size_t>(std::max_element(right.begin(), right.end()) - right.begin())];
}

}  // namespace relmpi
