#include "eval/decisions/statistics.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "base/error.h"
#include "base/random.h"

namespace relmpi {
namespace {

void check_labels(std::size_t scores, std::span<const int> labels) {
  RELMPI_CHECK(scores == labels.size(), "{} scores for {} labels", scores, labels.size());
  for (int label : labels) RELMPI_CHECK(label == 0 || label == 1, "a label is {}", label);
}

std::vector<std::size_t> order_by(std::size_t count,
                                  const std::function<bool(std::size_t, std::size_t)>& before) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), before);
  return order;
}

}  // namespace

double mcnemar_exact(std::int64_t only_a, std::int64_t only_b) {
  RELMPI_CHECK(only_a >= 0 && only_b >= 0, "discordant counts {} and {}", only_a, only_b);
  const std::int64_t fewer = std::min(only_a, only_b);
  const std::int64_t more = std::max(only_a, only_b);
  if (fewer == more) return 1.0;
  // P(X <= fewer) for X ~ Binomial(fewer + more, 1/2): the largest term, then each by its ratio to the one
  // before.
  const auto n = static_cast<double>(fewer + more);
  const double largest = std::exp(std::lgamma(n + 1) - std::lgamma(static_cast<double>(fewer) + 1) -
                                  std::lgamma(static_cast<double>(more) + 1) - n * std::log(2.0));
  double sum = 0;
  double term = 1;
  for (std::int64_t k = fewer; k >= 0 && term > 0; --k) {
    sum += term;
    term *= static_cast<double>(k) / (n - static_cast<double>(k) + 1);
  }
  return std::min(1.0, 2.0 * largest * sum);
}

std::vector<double> holm(std::span<const double> p_values) {
  const std::size_t count = p_values.size();
  const auto order = order_by(count, [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(count);
  double highest = 0;
  for (std::size_t rank = 0; rank < count; ++rank) {
    highest = std::max(highest, std::min(1.0, static_cast<double>(count - rank) * p_values[order[rank]]));
    adjusted[order[rank]] = highest;
  }
  return adjusted;
}

double mean(std::span<const double> values) {
  RELMPI_CHECK(!values.empty(), "the mean of nothing");
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double quantile_of_sorted(std::span<const double> sorted, double q) {
  RELMPI_CHECK(!sorted.empty() && q >= 0 && q <= 1, "quantile {} of {} values", q, sorted.size());
  const double position = q * static_cast<double>(sorted.size() - 1);
  const auto lower = static_cast<std::size_t>(position);
  const std::size_t upper = std::min(lower + 1, sorted.size() - 1);
  const double fraction = position - static_cast<double>(lower);
  return sorted[lower] + fraction * (sorted[upper] - sorted[lower]);
}

Interval bootstrap_mean(std::span<const double> values, std::string_view purpose,
                        const BootstrapOptions& options) {
  RELMPI_CHECK(!values.empty() && options.resamples > 0, "{} resamples of {} values", options.resamples,
               values.size());
  std::vector<double> means(options.resamples);
  for (std::int64_t resample = 0; resample < options.resamples; ++resample) {
    Random random(options.seed, purpose, resample);
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += values[random.below(values.size())];
    means[resample] = sum / static_cast<double>(values.size());
  }
  std::ranges::sort(means);
  const double tail = (1.0 - options.confidence) / 2;
  return {quantile_of_sorted(means, tail), quantile_of_sorted(means, 1.0 - tail)};
}

double f_beta(std::int64_t tp, std::int64_t predicted, std::int64_t actual, double beta) {
  // P = tp / predicted and R = tp / actual put into the formula leave only sums of counts.
  const double denominator = beta * beta * static_cast<double>(actual) + static_cast<double>(predicted);
  return tp == 0 || denominator == 0 ? 0.0 : (1 + beta * beta) * static_cast<double>(tp) / denominator;
}

std::vector<std::size_t> pareto_front(std::span<const double> cost, std::span<const double> accuracy) {
  RELMPI_CHECK(cost.size() == accuracy.size(), "{} costs for {} accuracies", cost.size(), accuracy.size());
  const auto order = order_by(cost.size(), [&](std::size_t a, std::size_t b) {
    return cost[a] != cost[b] ? cost[a] < cost[b] : accuracy[a] > accuracy[b];
  });
  std::vector<std::size_t> front;
  for (std::size_t point : order) {
    const bool beaten = !front.empty() && accuracy[point] <= accuracy[front.back()] &&
                        !(accuracy[point] == accuracy[front.back()] && cost[point] == cost[front.back()]);
    if (!beaten) front.push_back(point);
  }
  return front;
}

std::optional<double> expected_calibration_error(std::span<const double> probabilities,
                                                 std::span<const int> labels, int bins) {
  check_labels(probabilities.size(), labels);
  RELMPI_CHECK(bins > 0, "{} bins", bins);
  if (probabilities.empty()) return std::nullopt;
  std::vector<double> gap(bins, 0.0);  // sum of confidence minus sum of labels
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    RELMPI_CHECK(probabilities[i] >= 0 && probabilities[i] <= 1, "a probability is {}", probabilities[i]);
    gap[std::min(bins - 1, static_cast<int>(probabilities[i] * bins))] += probabilities[i] - labels[i];
  }
  double sum = 0;
  for (double of_bin : gap) sum += std::abs(of_bin);
  return sum / static_cast<double>(probabilities.size());
}

std::optional<double> auroc(std::span<const double> scores, std::span<const int> labels) {
  check_labels(scores.size(), labels);
  const auto order =
      order_by(scores.size(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  std::int64_t negatives = 0;       // with a lower score
  std::int64_t positives = 0;       // seen so far
  std::int64_t twice_the_wins = 0;  // pairs (positive, negative): 2 if the positive is higher, 1 if equal
  for (std::size_t begin = 0; begin < order.size();) {
    std::int64_t equal_positives = 0;
    std::int64_t equal_negatives = 0;
    std::size_t end = begin;
    for (; end < order.size() && scores[order[end]] == scores[order[begin]]; ++end) {
      (labels[order[end]] == 1 ? equal_positives : equal_negatives) += 1;
    }
    twice_the_wins += equal_positives * (2 * negatives + equal_negatives);
    positives += equal_positives;
    negatives += equal_negatives;
    begin = end;
  }
  if (positives == 0 || negatives == 0) return std::nullopt;
  return static_cast<double>(twice_the_wins) /
         (2.0 * static_cast<double>(positives) * static_cast<double>(negatives));
}

}  // namespace relmpi
