#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dist/ranks/communicator.h"
#include "eval/csc/csc_environment.h"
#include "eval/decisions/episode_rows.h"
#include "eval/decisions/progress_model.h"

namespace relmpi {

// How a policy chooses. All stop after `max_steps` passes at the latest.
struct PolicySpec {
  enum class Kind { kMdp, kFixed, kAlwaysRetrieve, kAlwaysReason, kRandom, kThreshold, kOracle };
  std::string name;
  Kind kind = Kind::kMdp;
  int k = 0;                    // of fixed-k: retrieves before one reason
  double mean_steps = 0;        // of random: matched to the mdp's cost on the calibration split
  double retrieve_share = 0.5;  // of random
  double threshold = 1;         // of threshold: retrieve until U reaches it
};

struct PolicyRun {
  int max_steps = 9;
  int oracle_depth = 3;
  std::uint64_t seed = 0;
};

// What one policy did with one item, and the state it stopped in.
struct Trajectory {
  ItemRow row;
  std::int64_t final_state = 0;
};

// Parses "mdp", "fixed-k" (all k up to max_k), "fixed-3", "always-retrieve", "always-reason", "random",
// "threshold" and "oracle". Throws InputError for another name.
std::vector<PolicySpec> parse_policies(const std::vector<std::string>& names, int max_k);

// Runs a policy over all items of a group in lockstep. Random choices depend on (seed, item number) alone;
// `item_numbers` are those of the whole data set.
std::vector<Trajectory> run_policy(const PolicySpec& policy, CorrectionStates& states,
                                   const ProgressModel& progress,
                                   const std::vector<std::int64_t>& item_numbers, const PolicyRun& run);

// Fits what `random` and `threshold` need on this rank's groups of the calibration split; counts are added
// over ranks, so that all agree. Every rank must call it.
void fit_policies(std::vector<PolicySpec>& policies, std::vector<CorrectionStates>& groups,
                  const ProgressModel& progress, const PolicyRun& run, double mu, Communicator& communicator);

}  // namespace relmpi
