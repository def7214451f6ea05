#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "dist/ranks/communicator.h"
#include "eval/decisions/comparison.h"
#include "eval/decisions/environment.h"
#include "eval/decisions/progress_model.h"

namespace relmpi {

struct ExperimentOptions {
  std::vector<std::string> policies = {"mdp", "fixed-k", "always-retrieve", "always-reason", "oracle"};
  int max_k = 8;              // of fixed-k; no policy takes more than max_k + 1 steps
  int calibration_depth = 3;  // steps that are tried in every order on the calibration split
  int oracle_depth = 3;
  std::uint64_t seed = 0;
  ProgressOptions progress;

  void validate() const;  // throws InputError
};

// How well U, after one retrieve, predicts whether the answer is right; on the items reported.
struct CalibrationQuality {
  std::optional<double> ece, auroc;  // nothing if they are not defined
  std::int64_t items = 0;
};

struct ExperimentReport : ComparisonReport {
  nlohmann::ordered_json header;  // the settings and what was fitted
  CalibrationQuality u;
  std::vector<ItemRow> rows;  // by policy, in the order of the options, then by item
};

// Compares policies on an environment: U, transitions and thresholds are fitted on the calibration split,
// then every policy runs over every item of the reported one. Rank 0 gets the report, the others an empty
// one; it is the same at any number of ranks except for measured times. Throws InputError for wrong options
// and if the splits share items or one of them is empty. Every rank must call it.
ExperimentReport run_experiment(Environment& environment, const ExperimentOptions& options,
                                Communicator& communicator);

// The document of INTERFACES `strategies`. Its rows hold no times: they are the same at any number of ranks.
nlohmann::ordered_json to_json(const ExperimentReport& report);

}  // namespace relmpi
