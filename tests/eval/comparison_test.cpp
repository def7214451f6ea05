#include "eval/decisions/comparison.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

// A row per letter: '1' right, '0' wrong; `tokens` each.
void add_rows(std::vector<ItemRow>& rows, const std::string& policy, const std::string& right,
              std::int64_t tokens) {
  for (std::size_t i = 0; i < right.size(); ++i) {
    ItemRow row;
    row.policy = policy;
    row.item = static_cast<std::int64_t>(i);
    row.correct = right[i] == '1';
    row.iterations = static_cast<std::int64_t>(i % 3);
    row.retrievals = static_cast<std::int64_t>(i % 2);
    row.reasons = 1;
    row.cost_tokens = tokens;
    row.cost_ms = 0.5;
    rows.push_back(row);
  }
}

std::vector<ItemRow> three_policies() {
  std::vector<ItemRow> rows;
  add_rows(rows, "fixed-1", "1100000000", 20);
  add_rows(rows, "mdp", "1011111111", 10);
  add_rows(rows, "oracle", "1111111111", 40);
  return rows;
}

TEST(Comparison, Summaries) {
  const auto policies = group_by_policy(three_policies());
  ASSERT_EQ(policies.size(), 3u);
  EXPECT_EQ(policies[0].name, "fixed-1");
  const PolicySummary summary = summarise(policies[1]);
  EXPECT_EQ(summary.items, 10);
  EXPECT_DOUBLE_EQ(summary.accuracy, 0.9);
  EXPECT_LT(summary.accuracy_interval.low, 0.9);
  EXPECT_EQ(summary.accuracy_interval.high, 1.0);
  EXPECT_DOUBLE_EQ(summary.cost_tokens, 10);
  EXPECT_EQ(summary.cost_tokens_interval.low, 10.0);
  EXPECT_DOUBLE_EQ(summary.cost_ms, 0.5);
  EXPECT_DOUBLE_EQ(summary.iterations, 0.9);
  EXPECT_DOUBLE_EQ(summary.retrievals, 0.5);
  EXPECT_DOUBLE_EQ(summary.reasons, 1);
}

TEST(Comparison, PairsByHand) {
  const auto policies = group_by_policy(three_policies());
  const Comparison pair = compare_policies(policies[1], policies[0]);  // mdp, fixed-1
  EXPECT_EQ(pair.items, 10);
  EXPECT_EQ(pair.only_a, 8);
  EXPECT_EQ(pair.only_b, 1);
  EXPECT_NEAR(pair.p, 2 * (1 + 9) / 512.0, 1e-15);
  EXPECT_NEAR(pair.accuracy_difference, 0.7, 1e-15);
  EXPECT_LT(pair.difference_interval.low, 0.7);
  EXPECT_GT(pair.difference_interval.high, 0.7);
  EXPECT_DOUBLE_EQ(pair.cost_ratio.value(), 0.5);

  const Comparison mirror = compare_policies(policies[0], policies[1]);
  EXPECT_EQ(mirror.p, pair.p);
  EXPECT_NEAR(mirror.difference_interval.low, -pair.difference_interval.high, 1e-12);
  EXPECT_DOUBLE_EQ(mirror.cost_ratio.value(), 2.0);
}

TEST(Comparison, FamilyIsAgainstMdpWithHolm) {
  const auto policies = group_by_policy(three_policies());
  const auto family = compare_family(policies);
  ASSERT_EQ(family.size(), 2u);
  EXPECT_EQ(family[0].a, "mdp");
  EXPECT_EQ(family[0].b, "fixed-1");
  EXPECT_NEAR(family[0].p_holm, 2 * family[0].p, 1e-15);
  EXPECT_EQ(family[1].b, "oracle");
  EXPECT_EQ(family[1].p_holm, 1.0);
  // Without mdp: every pair.
  const std::vector<PolicyRows> rest = {policies[0], policies[2]};
  ASSERT_EQ(compare_family(rest).size(), 1u);
  EXPECT_EQ(compare_family(rest)[0].a, "fixed-1");
}

TEST(Comparison, ReportHasTheFixedNames) {
  const auto report = to_json(compare_all(group_by_policy(three_policies())));
  EXPECT_EQ(report["policies"].size(), 3u);
  for (const char* name : {"name", "items", "accuracy", "accuracy_ci", "cost_tokens", "cost_ms", "iterations",
                           "retrievals", "reasons"}) {
    EXPECT_TRUE(report["policies"][0].contains(name)) << name;
  }
  for (const char* name :
       {"a", "b", "only_a", "only_b", "p", "p_holm", "accuracy_difference", "difference_ci", "cost_ratio"}) {
    EXPECT_TRUE(report["comparisons"][0].contains(name)) << name;
  }
  EXPECT_EQ(report["pareto"], nlohmann::ordered_json({"mdp", "oracle"}));
}

TEST(Comparison, TheOrderOfRowsDoesNotMatter) {
  auto rows = three_policies();
  const auto sorted = to_json(compare_all(group_by_policy(rows)));
  std::vector<ItemRow> shuffled;
  for (const char* policy : {"fixed-1", "mdp", "oracle"}) {
    for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
      if (row->policy == policy) shuffled.push_back(*row);
    }
  }
  EXPECT_EQ(to_json(compare_all(group_by_policy(shuffled))).dump(), sorted.dump());
}

TEST(Comparison, OtherItemsAreAnError) {
  auto rows = three_policies();
  rows.back().item = 17;
  auto policies = group_by_policy(rows);
  EXPECT_INPUT_ERROR(compare_policies(policies[1], policies[2]), "'mdp' has item 9 and 'oracle' has not");
  policies[1].rows.pop_back();
  EXPECT_THROW(compare_policies(policies[0], policies[1]), InputError);
  rows.back().item = 8;
  EXPECT_THROW(group_by_policy(rows), InputError);
}

TEST(Comparison, NoTokensNoRatio) {
  std::vector<ItemRow> rows;
  add_rows(rows, "a", "10", 5);
  add_rows(rows, "b", "01", 0);
  const auto policies = group_by_policy(rows);
  const Comparison pair = compare_policies(policies[0], policies[1]);
  EXPECT_FALSE(pair.cost_ratio.has_value());
  EXPECT_TRUE(to_json(pair)["cost_ratio"].is_null());
  EXPECT_EQ(pair.p, 1.0);
}

TEST(Comparison, TextHasEveryPolicyAndPair) {
  ComparisonReport report = compare_all(group_by_policy(three_policies()));
  const std::string text = to_text(report);
  EXPECT_NE(text.find("\nmdp "), std::string::npos);
  EXPECT_NE(text.find("   90.00  "), std::string::npos);
  EXPECT_NE(text.find("  oracle "), std::string::npos);
  const auto line = [&](const std::string& start) {
    const auto begin = text.find("\n" + start) + 1;
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  EXPECT_EQ(line("mdp ").back(), '*');     // on the front
  EXPECT_EQ(line("oracle ").back(), ' ');  // which leaves the oracle out
  report.policies[0].figures = {{"f1", 0.4321}};
  EXPECT_EQ(to_json(report)["policies"][0]["f1"], 0.4321);
  EXPECT_NE(to_text(report).find("  43.21  "), std::string::npos);
}

}  // namespace
}  // namespace relmpi
