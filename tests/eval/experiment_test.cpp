#include "eval/decisions/experiment.h"

#include <gtest/gtest.h>

#include "tests/eval/toy_environment.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

using toy::ToyEnvironment;

ExperimentOptions some_options() {
  ExperimentOptions options;
  options.policies = {"fixed-1", "mdp", "always-retrieve", "random", "threshold", "oracle"};
  options.max_k = 3;
  options.progress.mu = 0.4;
  return options;
}

ExperimentReport run(const toy::Options& toy_options, const ExperimentOptions& options = some_options()) {
  ToyEnvironment environment(toy_options);
  Communicator alone;
  return run_experiment(environment, options, alone);
}

TEST(Experiment, ReportsTheClosedForm) {
  const ExperimentReport report = run({});
  ASSERT_EQ(report.policies.size(), 6u);
  const PolicySummary& mdp = report.policies[1];
  EXPECT_EQ(mdp.name, "mdp");
  EXPECT_EQ(mdp.items, 1024);
  EXPECT_DOUBLE_EQ(mdp.accuracy, 15.0 / 16);
  EXPECT_DOUBLE_EQ(mdp.iterations, 15.0 / 8);
  EXPECT_DOUBLE_EQ(mdp.cost_tokens, 150.0 / 8);
  EXPECT_DOUBLE_EQ(mdp.cost_ms, 7.5 / 8);
  EXPECT_DOUBLE_EQ(report.policies[0].accuracy, 1 - 3.0 / 8);  // fixed-1
  EXPECT_DOUBLE_EQ(report.policies[2].iterations, 4);          // always-retrieve
  // Half of the items are right after one retrieve, and U knows which.
  EXPECT_EQ(report.u.items, 1024);
  EXPECT_DOUBLE_EQ(report.u.ece.value(), 0);
  EXPECT_DOUBLE_EQ(report.u.auroc.value(), 1);
  EXPECT_EQ(report.header["environment"], "toy");
  EXPECT_EQ(report.header["items"], 1024);
  EXPECT_EQ(report.header["group"], 100);
  EXPECT_EQ(report.header["mu"], 0.4);
}

TEST(Experiment, TheEnvironmentsFiguresAreOfItsTallies) {
  const ExperimentReport report = run({});
  for (const PolicySummary& policy : report.policies) {
    ASSERT_EQ(policy.figures.size(), 2u);
    EXPECT_EQ(policy.figures[0].value, policy.accuracy * 1024);
    EXPECT_EQ(policy.figures[1].value, 1024);
  }
}

TEST(Experiment, RowsAreByPolicyAndItem) {
  const ExperimentReport report = run({.items = 250});
  ASSERT_EQ(report.rows.size(), 6u * 250);
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    EXPECT_EQ(report.rows[i].policy, report.policies[i / 250].name);
    EXPECT_EQ(report.rows[i].item, static_cast<std::int64_t>(i % 250));
  }
}

TEST(Experiment, GroupsDoNotShowInTheRows) {
  const ExperimentReport wanted = run({.group = 1});
  for (const std::int64_t group : {7, 100, 5000}) EXPECT_EQ(run({.group = group}).rows, wanted.rows) << group;
}

TEST(Experiment, DocumentHasTheFixedNamesInOrder) {
  const auto document = to_json(run({.items = 50}));
  std::vector<std::string> names;
  for (const auto& [name, value] : document.items()) names.push_back(name);
  EXPECT_EQ(names,
            std::vector<std::string>({"header", "policies", "comparisons", "pareto", "calibration", "rows"}));
  EXPECT_EQ(document["rows"].size(), 300u);
  EXPECT_FALSE(document["rows"][0].contains("cost_ms"));  // a measured time
  EXPECT_EQ(document["policies"][0]["right"], document["policies"][0]["accuracy"].get<double>() * 50);
}

TEST(Experiment, WrongOptionsAreNamed) {
  const auto refused = [](const char* option, auto change) {
    ExperimentOptions options = some_options();
    change(options);
    EXPECT_INPUT_ERROR(run({}, options), option);
  };
  refused("--max-k", [](auto& o) { o.max_k = -1; });
  refused("--calibration-depth", [](auto& o) { o.calibration_depth = 2; });
  refused("--oracle-depth", [](auto& o) { o.oracle_depth = 9; });
  refused("--grid", [](auto& o) { o.progress.grid = 1; });
  refused("--mu", [](auto& o) { o.progress.mu = -0.1; });
  refused("--gamma", [](auto& o) { o.progress.gamma = 0; });
  refused("--bandwidth", [](auto& o) { o.progress.bandwidth = 0; });
  refused("--policies", [](auto& o) { o.policies = {"best"}; });
}

TEST(Experiment, SplitsThatShareItemsOrAreEmptyAreRefused) {
  EXPECT_THROW(run({.shared = 3}), InputError);
  EXPECT_THROW(run({.items = 0}), InputError);
}

}  // namespace
}  // namespace relmpi
