#include "eval/decisions/calibration.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace relmpi {
namespace {

// Items with scores in [first, last] that share one probability.
struct Pool {
  double first;
  double last;
  std::int64_t labels;
  std::int64_t items;

  // labels / items < other.labels / other.items, in integers.
  bool below(const Pool& other) const { return labels * other.items < other.labels * items; }
};

}  // namespace

Calibrator::Calibrator(std::span<const double> scores, std::span<const int> labels) {
  RELMPI_CHECK(scores.size() == labels.size(), "{} scores for {} labels", scores.size(), labels.size());
  if (scores.empty()) throw InputError("calibration: no items; give a calibration split that is not empty");
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!std::isfinite(scores[i])) throw InputError("calibration: the score of item {} is {}", i, scores[i]);
    if (labels[i] != 0 && labels[i] != 1) {
      throw InputError("calibration: the label of item {} is {}; labels are 0 or 1", i, labels[i]);
    }
  }
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  std::vector<Pool> items;
  for (std::size_t i : order) {
    if (items.empty() || items.back().first != scores[i]) items.push_back({scores[i], scores[i], 0, 0});
    items.back().labels += labels[i];
    ++items.back().items;
  }
  std::vector<Pool> pools;
  for (Pool pool : items) {
    while (!pools.empty() && !pools.back().below(pool)) {
      const Pool& before = pools.back();
      pool = {before.first, pool.last, before.labels + pool.labels, before.items + pool.items};
      pools.pop_back();
    }
    pools.push_back(pool);
  }
  for (const Pool& pool : pools) {
    const double level = static_cast<double>(pool.labels) / static_cast<double>(pool.items);
    knots_.push_back(pool.first);
    levels_.push_back(level);
    if (pool.last == pool.first) continue;
    knots_.push_back(pool.last);
    levels_.push_back(level);
  }
}

double Calibrator::apply(double score) const {
  const auto upper = std::upper_bound(knots_.begin(), knots_.end(), score);
  if (upper == knots_.begin()) return levels_.front();
  if (upper == knots_.end()) return levels_.back();
  const auto i = static_cast<std::size_t>(upper - knots_.begin());
  const double fraction = (score - knots_[i - 1]) / (knots_[i] - knots_[i - 1]);
  return levels_[i - 1] + fraction * (levels_[i] - levels_[i - 1]);
}

}  // namespace relmpi
