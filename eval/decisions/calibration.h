#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace relmpi {

// Turns scores into probabilities that the label is 1. Fit it on a split of its own.
enum class CalibrationKind : std::uint8_t {
  kIsotonic,  // least squares among nondecreasing functions: pool adjacent violators (Ayer et al. 1955)
  kLogistic,  // 1 / (1 + exp(-(a + b s))): Platt 1999, by Newton's method with a small ridge on a and b
};

class Calibrator {
 public:
  // Scores: finite; labels: 0 or 1; at least one item. Throws InputError otherwise.
  static Calibrator fit(CalibrationKind kind, std::span<const double> scores, std::span<const int> labels);

  // In [0, 1]. Isotonic: the pooled means are joined by straight lines between the pools' ends, and constant
  // outside.
  double apply(double score) const;

  CalibrationKind kind() const { return kind_; }

  nlohmann::ordered_json to_json() const;
  // Throws InputError where the document is no calibrator's.
  static Calibrator from_json(const nlohmann::json& json);

 private:
  explicit Calibrator(CalibrationKind kind) : kind_(kind) {}
  void fit_isotonic(std::span<const double> scores, std::span<const int> labels);
  void fit_logistic(std::span<const double> scores, std::span<const int> labels);

  CalibrationKind kind_;
  std::vector<double> knots_;   // isotonic: rising scores
  std::vector<double> levels_;  // isotonic: the probability at each knot
  double intercept_ = 0;
  double slope_ = 0;
};

}  // namespace relmpi
