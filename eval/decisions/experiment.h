#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/shards/dataset.h"
#include "dist/ranks/communicator.h"
#include "eval/csc/corrector.h"
#include "eval/decisions/policies.h"

namespace relmpi {

struct StrategyOptions {
  std::vector<std::string> policies = {"mdp", "fixed-k", "always-retrieve", "always-reason", "oracle"};
  int max_k = 8;
  int calibration_depth = 3;  // passes that are tried in every order on the calibration split
  int oracle_depth = 3;
  std::int64_t group = 32;  // sentences that run in lockstep, whatever the number of ranks
  std::int64_t limit = 0;   // items; 0 = all
  std::uint64_t seed = 0;
  ProgressOptions progress;

  void validate() const;  // throws InputError
};

// Compares policies on a data set: U, transitions and thresholds are fitted on `calibration`, which shares no
// target sentence with `dataset`, then every policy runs over every item. Rank 0 gets the document of
// INTERFACES `strategies` (header, policies, comparisons, pareto, calibration, rows); other ranks null.
// Throws InputError where the two sets share sentences. Every rank must call it.
nlohmann::ordered_json compare_strategies(const Corrector& corrector, const Dataset& calibration,
                                          const Dataset& dataset, const DecisionThresholds& thresholds,
                                          Communicator& communicator, const StrategyOptions& options);

}  // namespace relmpi
