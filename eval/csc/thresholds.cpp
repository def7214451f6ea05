#include "eval/csc/thresholds.h"

#include <algorithm>

#include "dist/ranks/share.h"
#include "eval/decisions/statistics.h"

namespace relmpi {
namespace {

// From never changing anything to every change.
constexpr double kMargins[] = {1e9,  16, 12,   8,   6,    5, 4,    3.5, 3,    2.75, 2.5,
                               2.25, 2,  1.75, 1.5, 1.25, 1, 0.75, 0.5, 0.25, 0};
constexpr double kDetect[] = {0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.0};

double f1(const std::vector<SentenceIds>& source, const std::vector<SentenceIds>& target,
          const std::vector<std::vector<Change>>& changes, const DecisionThresholds& thresholds) {
  std::int64_t repaired = 0, changed = 0, wrong = 0;
  for (std::size_t i = 0; i < source.size(); ++i) {
    const SentenceIds out = with_changes(source[i], changes[i], thresholds);
    changed += out != source[i];
    wrong += source[i] != target[i];
    repaired += source[i] != target[i] && out == target[i];
  }
  return f_beta(repaired, changed, wrong, 1.0);
}

}  // namespace

std::vector<DecisionThresholds> threshold_grid(const DecisionThresholds& start) {
  std::vector<DecisionThresholds> grid;
  for (const double margin : kMargins)
    for (const double detect : kDetect)
      grid.push_back({.detect = detect, .gate = start.gate, .margin = margin});
  return grid;
}

std::int64_t count_right(const std::vector<SentenceIds>& source, const std::vector<SentenceIds>& target,
                         const std::vector<std::vector<Change>>& changes,
                         const DecisionThresholds& thresholds) {
  std::int64_t right = 0;
  for (std::size_t i = 0; i < source.size(); ++i)
    right += with_changes(source[i], changes[i], thresholds) == target[i];
  return right;
}

DecisionThresholds tune_thresholds(const std::vector<SentenceIds>& source,
                                   const std::vector<SentenceIds>& target,
                                   const std::vector<std::vector<Change>>& changes,
                                   const DecisionThresholds& start) {
  DecisionThresholds best = start;
  double best_f1 = -1;
  for (const DecisionThresholds& tried : threshold_grid(start)) {
    const double reached = f1(source, target, changes, tried);
    if (reached <= best_f1) continue;
    best_f1 = reached;
    best = tried;
  }
  return best;
}

DecisionThresholds fit_reason_thresholds(const Corrector& corrector, const SentencePairs& pairs,
                                         const std::vector<std::vector<std::int64_t>>& groups,
                                         const DecisionThresholds& retrieve, Communicator& communicator) {
  const std::vector<DecisionThresholds> grid = threshold_grid(retrieve);
  std::vector<std::int64_t> right(grid.size(), 0);
  Share share(communicator, std::ssize(groups));
  while (const auto g = share.next()) {
    const auto [written, target] = select(pairs, groups[static_cast<std::size_t>(*g)]);
    const auto first = corrector.propose(written, Gating::kModel);
    std::vector<SentenceIds> retrieved;
    for (std::size_t i = 0; i < written.size(); ++i)
      retrieved.push_back(with_changes(written[i], first[i].changes, retrieve));
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
