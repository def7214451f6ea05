#pragma once

#include <span>
#include <vector>

namespace relmpi {

// Turns scores into probabilities that the label is 1: least squares among nondecreasing functions (isotonic
// regression) by pooling adjacent violators (Ayer et al. 1955). Fit it on a split of its own.
class Calibrator {
 public:
  // Scores: finite; labels: 0 or 1; at least one item. Throws InputError otherwise.
  Calibrator(std::span<const double> scores, std::span<const int> labels);

  // In [0, 1]. The pooled means are joined by straight lines between the pools' ends, and constant outside.
  double apply(double score) const;

 private:
  std::vector<double> knots_;   // rising scores
  std::vector<double> levels_;  // the probability at each knot
};

}  // namespace relmpi
