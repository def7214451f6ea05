#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eval/decisions/episode_rows.h"
#include "eval/decisions/statistics.h"

namespace relmpi {

// Summaries and paired comparisons of policies that ran over the same items (INTERFACES `strategies`,
// `compare`).

// The rows of one policy, by rising item number.
struct PolicyRows {
  std::string name;
  std::vector<ItemRow> rows;
};

// One group per policy, in the order in which the names first appear. Throws InputError if a policy has
// two rows for one item.
std::vector<PolicyRows> group_by_policy(std::vector<ItemRow> rows);

// A number that an environment adds to what is said of a policy, such as f1.
struct Figure {
  std::string name;
  double value = 0;
};

struct PolicySummary {
  std::string name;
  std::int64_t items = 0;
  double accuracy = 0;
  Interval accuracy_interval;
  // means per item
  double cost_tokens = 0;
  double cost_ms = 0;
  double iterations = 0;
  Interval iterations_interval;
  Interval cost_tokens_interval;
  double retrievals = 0;
  double reasons = 0;
  std::vector<Figure> figures;  // of the environment
};

PolicySummary summarise(const PolicyRows& policy, const BootstrapOptions& options = {});

struct Comparison {
  std::string a;
  std::string b;
  std::int64_t items = 0;
  std::int64_t only_a = 0;  // items that a alone got right
  std::int64_t only_b = 0;
  double p = 1;                      // exact McNemar
  double p_holm = 1;                 // adjusted over the family of comparisons
  double accuracy_difference = 0;    // of a minus that of b
  Interval difference_interval;      // paired bootstrap
  std::optional<double> cost_ratio;  // tokens of a over tokens of b; nothing if b has none
};

// One pair; p_holm is p. Throws InputError if the two did not run over the same items.
Comparison compare_policies(const PolicyRows& a, const PolicyRows& b, const BootstrapOptions& options = {});

// A family: "mdp" against every other policy if there is one, else every pair; Holm over the family.
std::vector<Comparison> compare_family(std::span<const PolicyRows> policies,
                                       const BootstrapOptions& options = {});

// The names that no other policy beats in both tokens and accuracy, from the cheapest on.
std::vector<std::string> pareto_names(std::span<const PolicySummary> policies);

struct ComparisonReport {
  std::vector<PolicySummary> policies;
  std::vector<Comparison> comparisons;
  std::vector<std::string> pareto;
};

// Summaries, the family of comparisons and the Pareto front.
ComparisonReport compare_all(std::span<const PolicyRows> policies, const BootstrapOptions& options = {});

nlohmann::ordered_json to_json(const Comparison& comparison);
// {"policies":[...],"comparisons":[...],"pareto":[...]}.
nlohmann::ordered_json to_json(const ComparisonReport& report);

// Tables for people: accuracy and differences in per cent, F1 of the policies that have a figure "f1".
std::string to_text(const ComparisonReport& report);

}  // namespace relmpi
