#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "eval/decisions/policy.h"

namespace relmpi {

struct PolicyOptions {
  int oracle_depth = 3;    // steps that the oracle may choose among
  double mu = 0.01;        // what `threshold` is fitted for: the price of a step, in accuracy
  std::uint64_t seed = 0;  // of `random`
};

// The names of single policies, in order, with "fixed-k" written out as fixed-0 to fixed-`max_k`. Throws
// InputError for an unknown name, a name that is given twice, and for no name.
std::vector<std::string> expand_policy_names(std::span<const std::string> names, int max_k);

// One policy for each of these names, which expand_policy_names gave; `progress` must outlive them.
//   mdp              what the fitted decision process says is best (ProgressModel)
//   fixed-K          K retrieves, then one reason
//   always-retrieve  retrieves until the most steps
//   always-reason    reasons until the most steps
//   random           as many steps as mdp takes on the calibration split on average, and as many retrieves
//                    among them; which, is drawn from (seed, item, step)
//   threshold        retrieves until U reaches a threshold, the best one on the calibration split
//   oracle           the cheapest steps that end right, of at most oracle_depth; none if none do
std::vector<std::unique_ptr<Policy>> make_policies(std::span<const std::string> names,
                                                   const PolicyOptions& options,
                                                   const ProgressModel& progress);

}  // namespace relmpi
