#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/shards/dataset.h"
#include "eval/csc/corrector.h"
#include "eval/decisions/environment.h"

namespace relmpi {

struct CscEnvironmentOptions {
  std::int64_t group = 32;  // sentences that run in lockstep, whatever the number of ranks
  std::int64_t limit = 0;   // only the first sentences of the reported split; 0 = all

  void validate() const;  // throws InputError
};

// Spelling correction (DESIGN section 6): retrieve = a pass with the confusion candidates (the model's gate
// on), reason = a pass by the language model alone (alpha = 0). An item is right if its text is the target.
class CscEnvironment final : public Environment {
 public:
  // `thresholds` are those of a retrieve; fit() finds those of a reason.
  CscEnvironment(const Corrector& corrector, const Dataset& calibration, const Dataset& reported,
                 const DecisionThresholds& thresholds, const CscEnvironmentOptions& options);

  std::string_view name() const override { return "csc"; }
  std::vector<std::vector<std::int64_t>> groups(Split split) const override;
  void demand_disjoint() const override;  // no target sentence may be in both
  void fit(Communicator& communicator) override;
  std::unique_ptr<Episodes> open(Split split, std::span<const std::int64_t> items) const override;
  // precision, recall, f1 and fpr of the corrections (eval/csc/metrics.h).
  std::vector<Figure> figures(std::span<const std::int64_t> tally) const override;
  nlohmann::ordered_json header() const override;

 private:
  const SentencePairs& pairs(Split split) const {
    return split == Split::kCalibration ? calibration_ : reported_;
  }

  const Corrector& corrector_;
  SentencePairs calibration_, reported_;
  std::string calibration_fingerprint_, reported_fingerprint_;
  DecisionThresholds retrieve_, reason_;
  std::int64_t group_;
};

}  // namespace relmpi
