#include "eval/decisions/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/error.h"

namespace relmpi {
namespace {

constexpr const char* kReference = "mdp";

template <typename Get>
std::vector<double> column(const PolicyRows& policy, Get get) {
  std::vector<double> values;
  values.reserve(policy.rows.size());
  for (const ItemRow& row : policy.rows) values.push_back(static_cast<double>(get(row)));
  return values;
}

std::vector<double> accuracy_column(const PolicyRows& policy) {
  return column(policy, [](const ItemRow& row) { return row.correct ? 1 : 0; });
}

nlohmann::ordered_json to_json(const Interval& interval) {
  return nlohmann::ordered_json::array({interval.low, interval.high});
}

[[noreturn]] void items_differ(const std::string& has, const std::string& lacks, std::int64_t item) {
  throw InputError("the items differ: '{}' has item {} and '{}' has not; compare runs over the same items",
                   has, item, lacks);
}

void check_same_items(const PolicyRows& a, const PolicyRows& b) {
  const std::size_t common = std::min(a.rows.size(), b.rows.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (a.rows[i].item < b.rows[i].item) items_differ(a.name, b.name, a.rows[i].item);
    if (b.rows[i].item < a.rows[i].item) items_differ(b.name, a.name, b.rows[i].item);
  }
  if (a.rows.size() > common) items_differ(a.name, b.name, a.rows[common].item);
  if (b.rows.size() > common) items_differ(b.name, a.name, b.rows[common].item);
}

nlohmann::ordered_json to_json(const PolicySummary& summary) {
  nlohmann::ordered_json json = {{"name", summary.name},
                                 {"items", summary.items},
                                 {"accuracy", summary.accuracy},
                                 {"accuracy_ci", to_json(summary.accuracy_interval)},
                                 {"cost_tokens", summary.cost_tokens},
                                 {"cost_tokens_ci", to_json(summary.cost_tokens_interval)},
                                 {"cost_ms", summary.cost_ms},
                                 {"iterations", summary.iterations},
                                 {"iterations_ci", to_json(summary.iterations_interval)},
                                 {"retrievals", summary.retrievals},
                                 {"reasons", summary.reasons}};
  for (const Figure& figure : summary.figures) json[figure.name] = figure.value;
  return json;
}

std::int64_t total_tokens(const PolicyRows& policy) {
  std::int64_t sum = 0;
  for (const ItemRow& row : policy.rows) sum += row.cost_tokens;
  return sum;
}

}  // namespace

std::vector<PolicyRows> group_by_policy(std::vector<ItemRow> rows) {
  std::vector<PolicyRows> groups;
  std::unordered_map<std::string, std::size_t> index;
  for (ItemRow& row : rows) {
    const auto [found, added] = index.try_emplace(row.policy, groups.size());
    if (added) groups.push_back({row.policy, {}});
    groups[found->second].rows.push_back(std::move(row));
  }
  for (PolicyRows& group : groups) {
    auto& of_policy = group.rows;
    std::sort(of_policy.begin(), of_policy.end(),
              [](const ItemRow& x, const ItemRow& y) { return x.item < y.item; });
    const auto twice =
        std::adjacent_find(of_policy.begin(), of_policy.end(),
                           [](const ItemRow& x, const ItemRow& y) { return x.item == y.item; });
    if (twice != of_policy.end()) {
      throw InputError("policy '{}' has more than one row for item {}; keep one", group.name, twice->item);
    }
  }
  return groups;
}

PolicySummary summarise(const PolicyRows& policy, const BootstrapOptions& options) {
  RELMPI_CHECK(!policy.rows.empty(), "policy '{}' has no rows", policy.name);
  const auto accuracy = accuracy_column(policy);
  const auto tokens = column(policy, [](const ItemRow& row) { return row.cost_tokens; });
  const auto iterations = column(policy, [](const ItemRow& row) { return row.iterations; });
  PolicySummary summary;
  summary.name = policy.name;
  summary.items = static_cast<std::int64_t>(policy.rows.size());
  summary.accuracy = mean(accuracy);
  summary.accuracy_interval = bootstrap_mean(accuracy, "accuracy", options);
  summary.cost_tokens = mean(tokens);
  summary.cost_tokens_interval = bootstrap_mean(tokens, "cost_tokens", options);
  summary.cost_ms = mean(column(policy, [](const ItemRow& row) { return row.cost_ms; }));
  summary.iterations = mean(iterations);
  summary.iterations_interval = bootstrap_mean(iterations, "iterations", options);
  summary.retrievals = mean(column(policy, [](const ItemRow& row) { return row.retrievals; }));
  summary.reasons = mean(column(policy, [](const ItemRow& row) { return row.reasons; }));
  return summary;
}

Comparison compare_policies(const PolicyRows& a, const PolicyRows& b, const BootstrapOptions& options) {
  check_same_items(a, b);
  RELMPI_CHECK(!a.rows.empty(), "no items to compare '{}' and '{}' on", a.name, b.name);
  Comparison result;
  result.a = a.name;
  result.b = b.name;
  result.items = static_cast<std::int64_t>(a.rows.size());
  std::vector<double> difference(a.rows.size());
  for (std::size_t i = 0; i < a.rows.size(); ++i) {
    result.only_a += a.rows[i].correct && !b.rows[i].correct;
    result.only_b += b.rows[i].correct && !a.rows[i].correct;
    difference[i] = static_cast<int>(a.rows[i].correct) - static_cast<int>(b.rows[i].correct);
  }
  result.p = mcnemar_exact(result.only_a, result.only_b);
  result.p_holm = result.p;
  result.accuracy_difference =
      static_cast<double>(result.only_a - result.only_b) / static_cast<double>(result.items);
  result.difference_interval = bootstrap_mean(difference, "accuracy difference", options);
  const std::int64_t tokens_b = total_tokens(b);
  if (tokens_b > 0) result.cost_ratio = static_cast<double>(total_tokens(a)) / static_cast<double>(tokens_b);
  return result;
}

std::vector<Comparison> compare_family(std::span<const PolicyRows> policies,
                                       const BootstrapOptions& options) {
  const auto reference = std::find_if(policies.begin(), policies.end(),
                                      [](const PolicyRows& policy) { return policy.name == kReference; });
  std::vector<Comparison> family;
  if (reference != policies.end()) {
    for (const PolicyRows& other : policies) {
      if (other.name != kReference) family.push_back(compare_policies(*reference, other, options));
    }
  } else {
    for (std::size_t i = 0; i < policies.size(); ++i) {
      for (std::size_t j = i + 1; j < policies.size(); ++j) {
        family.push_back(compare_policies(policies[i], policies[j], options));
      }
    }
  }
  std::vector<double> p_values;
  p_values.reserve(family.size());
  for (const Comparison& comparison : family) p_values.push_back(comparison.p);
  const std::vector<double> adjusted = holm(p_values);
  for (std::size_t i = 0; i < family.size(); ++i) family[i].p_holm = adjusted[i];
  return family;
}

std::vector<std::string> pareto_names(std::span<const PolicySummary> policies) {
  std::vector<double> cost;
  std::vector<double> accuracy;
  for (const PolicySummary& policy : policies) {
    cost.push_back(policy.cost_tokens);
    accuracy.push_back(policy.accuracy);
  }
  std::vector<std::string> names;
  for (std::size_t i : pareto_front(cost, accuracy)) names.push_back(policies[i].name);
  return names;
}

nlohmann::ordered_json to_json(const Comparison& comparison) {
  nlohmann::ordered_json json = {{"a", comparison.a},
                                 {"b", comparison.b},
                                 {"items", comparison.items},
                                 {"only_a", comparison.only_a},
                                 {"only_b", comparison.only_b},
                                 {"p", comparison.p},
                                 {"p_holm", comparison.p_holm},
                                 {"accuracy_difference", comparison.accuracy_difference},
                                 {"difference_ci", to_json(comparison.difference_interval)},
                                 {"cost_ratio", nullptr}};
  if (comparison.cost_ratio) json["cost_ratio"] = *comparison.cost_ratio;
  return json;
}

ComparisonReport compare_all(std::span<const PolicyRows> policies, const BootstrapOptions& options) {
  ComparisonReport report;
  for (const PolicyRows& policy : policies) report.policies.push_back(summarise(policy, options));
  report.comparisons = compare_family(policies, options);
  report.pareto = pareto_names(report.policies);
  return report;
}

nlohmann::ordered_json to_json(const ComparisonReport& report) {
  nlohmann::ordered_json json = {{"policies", nlohmann::ordered_json::array()},
                                 {"comparisons", nlohmann::ordered_json::array()},
                                 {"pareto", report.pareto}};
  for (const PolicySummary& policy : report.policies) json["policies"].push_back(to_json(policy));
  for (const Comparison& comparison : report.comparisons) json["comparisons"].push_back(to_json(comparison));
  return json;
}

}  // namespace relmpi
