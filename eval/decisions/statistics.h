#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace relmpi {

// Two-sided exact McNemar test (the binomial test of the discordant pairs at 1/2): the p value for `only_a`
// items that only a got right and `only_b` that only b did. 1 if there are none.
double mcnemar_exact(std::int64_t only_a, std::int64_t only_b);

// Holm's step-down adjustment of a family of p values (Holm 1979), in the order given.
std::vector<double> holm(std::span<const double> p_values);

struct Interval {
  double low = 0;
  double high = 0;
};

struct BootstrapOptions {
  std::uint64_t seed = 0;
  std::int64_t resamples = 2000;
  double confidence = 0.95;
};

// Percentile bootstrap (Efron 1979) of the mean of one value or more: a function of (options, purpose,
// values) alone. Quantiles are interpolated linearly between order statistics. For a paired comparison, give
// the differences item by item.
Interval bootstrap_mean(std::span<const double> values, std::string_view purpose,
                        const BootstrapOptions& options = {});

// The quantile of sorted values at q in [0, 1], interpolated linearly between neighbours.
double quantile_of_sorted(std::span<const double> sorted, double q);

double mean(std::span<const double> values);

// (1 + beta^2) P R / (beta^2 P + R), with P = tp / predicted and R = tp / actual; 0 if it is 0 / 0.
double f_beta(std::int64_t tp, std::int64_t predicted, std::int64_t actual, double beta);

// The numbers of the points that no other point beats (costs no more, is at least as accurate, and is better
// in one of the two), from the cheapest on. Equal points stand or fall together.
std::vector<std::size_t> pareto_front(std::span<const double> cost, std::span<const double> accuracy);

// Expected calibration error (Guo et al. 2017): the mean over items of |accuracy - confidence| of their bin,
// in 15 bins of equal width over [0, 1] ([k/15, (k+1)/15), the last closed). Nothing without items.
std::optional<double> expected_calibration_error(std::span<const double> probabilities,
                                                 std::span<const int> labels, int bins = 15);

// Area under the ROC curve: the chance that a positive item scores above a negative one, ties half (Mann and
// Whitney 1947). Nothing if one of the two classes has no items.
std::optional<double> auroc(std::span<const double> scores, std::span<const int> labels);

}  // namespace relmpi
