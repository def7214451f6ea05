#include <fmt/format.h>

#include <algorithm>

#include "eval/decisions/comparison.h"

namespace relmpi {
namespace {

std::string in_percent(const PolicySummary& policy, std::string_view figure) {
  const auto found = std::ranges::find(policy.figures, figure, &Figure::name);
  return found == policy.figures.end() ? "-" : fmt::format("{:.2f}", 100 * found->value);
}

// The oracle knows the answers: it would leave nobody else on the front.
std::vector<std::string> front_without_oracle(std::span<const PolicySummary> policies) {
  std::vector<PolicySummary> others;
  std::ranges::copy_if(policies, std::back_inserter(others),
                       [](const PolicySummary& policy) { return policy.name != "oracle"; });
  return pareto_names(others);
}

std::string policy_table(std::span<const PolicySummary> policies) {
  const std::vector<std::string> front = front_without_oracle(policies);
  std::size_t width = 6;
  for (const PolicySummary& policy : policies) width = std::max(width, policy.name.size());
  std::string text = fmt::format(
      "{:<{}}  {:>6}  {:>8}  {:>14}  {:>6}  {:>9}  {:>8}  {:>7}  {:>9}  {:>7}  {}\n", "policy", width,
      "items", "accuracy", "95 % interval", "F1", "tokens", "ms", "steps", "retrieves", "reasons", "Pareto");
  for (const PolicySummary& p : policies) {
    const bool on_front = std::ranges::count(front, p.name) > 0;
    text += fmt::format(
        "{:<{}}  {:>6}  {:>8.2f}  {:>14}  {:>6}  {:>9.1f}  {:>8.2f}  {:>7.2f}  {:>9.2f}  {:>7.2f}  {}\n",
        p.name, width, p.items, 100 * p.accuracy,
        fmt::format("{:.1f} to {:.1f}", 100 * p.accuracy_interval.low, 100 * p.accuracy_interval.high),
        in_percent(p, "f1"), p.cost_tokens, p.cost_ms, p.iterations, p.retrievals, p.reasons,
        on_front ? "*" : "");
  }
  return text +
         "* the oracle aside, no other policy is both cheaper and as accurate, or as cheap and more "
         "accurate\n";
}

std::string comparison_table(std::span<const Comparison> comparisons) {
  std::size_t width = 4;
  for (const Comparison& c : comparisons) width = std::max({width, c.a.size(), c.b.size()});
  std::string text =
      fmt::format("{:<{}}  {:<{}}  {:>6}  {:>6}  {:>8}  {:>8}  {:>10}  {:>16}  {:>10}\n", "a", width, "b",
                  width, "only a", "only b", "p", "p (Holm)", "difference", "95 % interval", "cost ratio");
  for (const Comparison& c : comparisons) {
    text += fmt::format(
        "{:<{}}  {:<{}}  {:>6}  {:>6}  {:>8.2g}  {:>8.2g}  {:>+10.2f}  {:>16}  {:>10}\n", c.a, width, c.b,
        width, c.only_a, c.only_b, c.p, c.p_holm, 100 * c.accuracy_difference,
        fmt::format("{:+.2f} to {:+.2f}", 100 * c.difference_interval.low, 100 * c.difference_interval.high),
        c.cost_ratio ? fmt::format("{:.3f}", *c.cost_ratio) : "-");
  }
  return text;
}

}  // namespace

std::string to_text(const ComparisonReport& report) {
  return policy_table(report.policies) + "\n" + comparison_table(report.comparisons);
}

}  // namespace relmpi
