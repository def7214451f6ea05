#include "eval/tune.h"

#include "eval/statistics.h"

namespace relmpi {
namespace {

struct Counts {
  std::int64_t right = 0, changed = 0, wrong_sources = 0;
};

Counts count(const std::vector<SentenceIds>& source, const std::vector<SentenceIds>& target,
             const std::vector<std::vector<Change>>& changes, const DecisionThresholds& thresholds) {
  Counts counts;
  for (std::size_t i = 0; i < source.size(); ++i) {
    SentenceIds out = source[i];
    for (const Change& change : changes[i])
      if (accepts(thresholds, change)) out[static_cast<std::size_t>(change.position)] = change.id;
    counts.changed += out != source[i];
    counts.wrong_sources += source[i] != target[i];
    counts.right += source[i] != target[i] && out == target[i];
  }
  return counts;
}

}  // namespace

DecisionThresholds tune_thresholds(const std::vector<SentenceIds>& source,
                                   const std::vector<SentenceIds>& target,
                                   const std::vector<std::vector<Change>>& changes,
                                   const DecisionThresholds& start) {
  DecisionThresholds best = start;
  double best_f1 = -1;
  for (const double detect : {0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.0}) {
    for (int quarter = 16; quarter >= 0; --quarter) {
      const DecisionThresholds tried{.detect = detect, .gate = start.gate, .margin = 0.25 * quarter};
      const Counts counts = count(source, target, changes, tried);
      const double f1 = f_beta(counts.right, counts.changed, counts.wrong_sources, 1.0);
      if (f1 <= best_f1) continue;
      best_f1 = f1;
      best = tried;
    }
  }
  return best;
}

}  // namespace relmpi
