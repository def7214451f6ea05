#include "eval/decisions/calibration.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace relmpi {
namespace {

constexpr double kRidge = 1e-3;  // finite weights for separable labels; too small to matter otherwise
constexpr int kMostNewtonSteps = 200;

// Items with scores in [first, last] that share one probability.
struct Pool {
  double first;
  double last;
  std::int64_t labels;
  std::int64_t items;

  // labels / items < other.labels / other.items, in integers.
  bool below(const Pool& other) const { return labels * other.items < other.labels * items; }
};

double logistic(double x) { return x >= 0 ? 1.0 / (1.0 + std::exp(-x)) : std::exp(x) / (1.0 + std::exp(x)); }

// The penalised negative log-likelihood of intercept a and slope b.
double loss(std::span<const double> scores, std::span<const int> labels, double a, double b) {
  double sum = 0.5 * kRidge * (a * a + b * b);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double x = a + b * scores[i];
    sum += std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))) - labels[i] * x;
  }
  return sum;
}

}  // namespace

Calibrator Calibrator::fit(CalibrationKind kind, std::span<const double> scores,
                           std::span<const int> labels) {
  RELMPI_CHECK(scores.size() == labels.size(), "{} scores for {} labels", scores.size(), labels.size());
  if (scores.empty()) throw InputError("calibration: no items; give a calibration split that is not empty");
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!std::isfinite(scores[i])) throw InputError("calibration: the score of item {} is {}", i, scores[i]);
    if (labels[i] != 0 && labels[i] != 1) {
      throw InputError("calibration: the label of item {} is {}; labels are 0 or 1", i, labels[i]);
    }
  }
  Calibrator calibrator(kind);
  if (kind == CalibrationKind::kIsotonic) {
    calibrator.fit_isotonic(scores, labels);
  } else {
    calibrator.fit_logistic(scores, labels);
  }
  return calibrator;
}

void Calibrator::fit_isotonic(std::span<const double> scores, std::span<const int> labels) {
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

void Calibrator::fit_logistic(std::span<const double> scores, std::span<const int> labels) {
  // Newton on standardised scores, so that the ridge means the same at any scale of them.
  const auto n = static_cast<double>(scores.size());
  const double centre = std::accumulate(scores.begin(), scores.end(), 0.0) / n;
  double variance = 0;
  for (double score : scores) variance += (score - centre) * (score - centre) / n;
  const double scale = variance > 0 ? std::sqrt(variance) : 1.0;
  std::vector<double> standard(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) standard[i] = (scores[i] - centre) / scale;

  double a = 0;
  double b = 0;
  for (int step = 0; step < kMostNewtonSteps; ++step) {
    double ga = kRidge * a, gb = kRidge * b, haa = kRidge, hab = 0, hbb = kRidge;
    for (std::size_t i = 0; i < standard.size(); ++i) {
      const double p = logistic(a + b * standard[i]);
      const double w = p * (1 - p);
      ga += p - labels[i];
      gb += (p - labels[i]) * standard[i];
      haa += w;
      hab += w * standard[i];
      hbb += w * standard[i] * standard[i];
    }
    const double determinant = haa * hbb - hab * hab;
    const double da = (hbb * ga - hab * gb) / determinant;
    const double db = (haa * gb - hab * ga) / determinant;
    double shrink = 1;
    const double before = loss(standard, labels, a, b);
    while (shrink > 1e-10 && loss(standard, labels, a - shrink * da, b - shrink * db) > before) shrink /= 2;
    a -= shrink * da;
    b -= shrink * db;
    if (std::abs(da) + std::abs(db) < 1e-12 * (1 + std::abs(a) + std::abs(b))) break;
  }
  slope_ = b / scale;
  intercept_ = a - slope_ * centre;
}

double Calibrator::apply(double score) const {
  if (kind_ == CalibrationKind::kLogistic) return logistic(intercept_ + slope_ * score);
  const auto upper = std::upper_bound(knots_.begin(), knots_.end(), score);
  if (upper == knots_.begin()) return levels_.front();
  if (upper == knots_.end()) return levels_.back();
  const auto i = static_cast<std::size_t>(upper - knots_.begin());
  const double fraction = (score - knots_[i - 1]) / (knots_[i] - knots_[i - 1]);
  return levels_[i - 1] + fraction * (levels_[i] - levels_[i - 1]);
}

nlohmann::ordered_json Calibrator::to_json() const {
  if (kind_ == CalibrationKind::kLogistic) {
    return {{"kind", "logistic"}, {"intercept", intercept_}, {"slope", slope_}};
  }
  return {{"kind", "isotonic"}, {"scores", knots_}, {"probabilities", levels_}};
}

Calibrator Calibrator::from_json(const nlohmann::json& json) {
  try {
    const auto kind = json.at("kind").get<std::string>();
    if (kind == "logistic") {
      Calibrator calibrator(CalibrationKind::kLogistic);
      calibrator.intercept_ = json.at("intercept").get<double>();
      calibrator.slope_ = json.at("slope").get<double>();
      return calibrator;
    }
    Calibrator calibrator(CalibrationKind::kIsotonic);
    calibrator.knots_ = json.at("scores").get<std::vector<double>>();
    calibrator.levels_ = json.at("probabilities").get<std::vector<double>>();
    const bool rising = std::adjacent_find(calibrator.knots_.begin(), calibrator.knots_.end(),
                                           std::greater_equal<>()) == calibrator.knots_.end();
    if (kind != "isotonic" || calibrator.knots_.empty() || !rising ||
        calibrator.knots_.size() != calibrator.levels_.size()) {
      throw InputError("calibration: '{}' with {} scores and {} probabilities is no calibrator", kind,
                       calibrator.knots_.size(), calibrator.levels_.size());
    }
    return calibrator;
  } catch (const nlohmann::json::exception& error) {
    throw InputError("calibration: {}; expected kind, and scores and probabilities or intercept and slope",
                     error.what());
  }
}

}  // namespace relmpi
