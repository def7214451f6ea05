#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "eval/decisions/decision_process.h"

namespace relmpi {

// The decision process of DESIGN section 6: progress U in [0, 1]; retrieve adds delta_retrieve with
// probability `success`, reason adds delta_reason, terminate pays sigma(U).

enum class Reward : std::uint8_t { kLinear, kSqrt, kSaturating, kSigmoid };
enum class Projection : std::uint8_t { kLinear, kNearest };

// Of the names linear, sqrt, saturating, sigmoid; and linear, nearest. Throw InputError, which names the
// option.
Reward reward_of(std::string_view name);
Projection projection_of(std::string_view name);

struct MdpOptions {
  double delta_retrieve = 0.15;
  double delta_reason = 0.08;
  double success = 0.7;
  double cost_retrieve = 0.2;
  double cost_reason = 0.1;
  double mu = 0.6;
  double gamma = 1.0;
  std::int64_t grid = 100;
  Reward reward = Reward::kLinear;
  double reward_k = 5.0;  // of saturating and sigmoid
  Projection projection = Projection::kLinear;
  double tolerance = 1e-6;

  // Throws InputError, which names the option and its range.
  void validate() const;
};

// sigma(x), x = U / Umax with Umax = 1: linear x; sqrt(x); saturating 1 - exp(-k x);
// sigmoid 1 / (1 + exp(-k (x - 1/2))).
double terminal_reward(Reward reward, double k, double x);

// The process on the grid. A step that ends between two grid points is shared between them (linear
// projection: the value there is interpolated) or given to the nearest one (ties to the lower).
DecisionProcess make_process(const MdpOptions& options);

// The value from U = 0 of k retrieves, then one reason, then terminate, exact (binomial in the successes, no
// grid).
double fixed_k_value(const MdpOptions& options, int k);

struct MdpReport {
  MdpOptions options;
  Solution solution;
  ThresholdSummary thresholds;
  std::vector<double> fixed_k;  // k = 0..8
};

MdpReport solve_mdp(const MdpOptions& options);

// The document of INTERFACES `mdp`. A threshold_policy_value of -infinity (it pays forever without stopping)
// is null, and so is its regret.
nlohmann::ordered_json to_json(const MdpReport& report);

// The same for people: a table and a drawing of the action bands.
std::string to_text(const MdpReport& report);

}  // namespace relmpi
