#include "eval/decisions/experiment.h"

#include <cstring>
#include <memory>
#include <type_traits>

#include "base/error.h"
#include "base/progress.h"
#include "dist/ranks/share.h"
#include "eval/decisions/policies.h"

namespace relmpi {
namespace {

using nlohmann::ordered_json;

// What the policies did with one group of items. It travels to rank 0 as a line of JSON.
struct GroupRuns {
  std::vector<ItemRow> rows;                       // policy by policy
  std::vector<std::vector<std::int64_t>> tallies;  // by policy, over the group
  std::vector<double> u;                           // of each item after one retrieve
  std::vector<int> right;                          // and whether it is right then
};

std::string to_line(const GroupRuns& runs) {
  auto rows = ordered_json::array();
  for (const ItemRow& row : runs.rows) rows.push_back(to_json(row));
  return ordered_json{{"rows", rows}, {"tallies", runs.tallies}, {"u", runs.u}, {"right", runs.right}}.dump();
}

GroupRuns from_line(const std::string& line) {
  const auto json = nlohmann::json::parse(line);
  GroupRuns runs;
  for (const auto& row : json.at("rows")) runs.rows.push_back(item_row_from_json(row));
  json.at("tallies").get_to(runs.tallies);
  json.at("u").get_to(runs.u);
  json.at("right").get_to(runs.right);
  return runs;
}

void add(std::vector<std::int64_t>& sum, const std::vector<std::int64_t>& counts) {
  sum.resize(counts.size(), 0);
  for (std::size_t i = 0; i < counts.size(); ++i) sum[i] += counts[i];
}

using Policies = std::vector<std::unique_ptr<Policy>>;
using Groups = std::vector<std::vector<std::int64_t>>;

GroupRuns run_group(const Policies& policies, const ProgressModel& progress, Episodes& episodes,
                    std::span<const std::int64_t> items, int most_steps) {
  GroupRuns runs;
  for (const auto& policy : policies) {
    std::vector<std::int64_t> tally;
    for (Trajectory& t : policy->run(episodes, items, most_steps)) {
      add(tally, episodes.tally(t.end));
      runs.rows.push_back(std::move(t.row));
    }
    runs.tallies.push_back(std::move(tally));
  }
  for (const Episodes::Id id : episodes.step(episodes.roots(), Action::kRetrieve)) {
    runs.u.push_back(progress.u(episodes.state(id)));
    runs.right.push_back(episodes.state(id).correct);
  }
  return runs;
}

// This rank's groups of the calibration split, with every step seen in them.
struct Calibration {
  std::vector<CalibrationRuns::Group> groups;
  std::vector<NumberedLine> steps;  // by group: the bytes of its ObservedSteps
};

Calibration open_calibration(const Environment& environment, const Communicator& communicator, int depth) {
  const Groups groups = environment.groups(Split::kCalibration);
  Progress bar("fitting", std::ssize(groups), communicator.rank() == 0);
  Calibration mine;
  Share share(communicator, std::ssize(groups));
  while (const auto g = share.next()) {
    const auto& items = groups[static_cast<std::size_t>(*g)];
    auto episodes = environment.open(Split::kCalibration, items);
    const std::vector<ObservedStep> steps = observe(*episodes, depth);
    mine.steps.push_back(
        {*g, {reinterpret_cast<const char*>(steps.data()), steps.size() * sizeof(steps[0])}});
    mine.groups.push_back({items, std::move(episodes)});
    bar.update(*g + 1);
  }
  return mine;
}

// The steps of all groups, in the order of the groups, on every rank.
std::vector<ObservedStep> all_steps(std::span<const NumberedLine> mine, Communicator& communicator) {
  std::string joined;
  for (const NumberedLine& group : gather_lines(communicator, mine)) joined += group.line;
  joined = communicator.broadcast_bytes(std::move(joined));
  static_assert(std::is_trivially_copyable_v<ObservedStep>);
  std::vector<ObservedStep> steps(joined.size() / sizeof(ObservedStep));
  std::memcpy(steps.data(), joined.data(), joined.size());
  return steps;
}

// Every policy over this rank's groups of the reported split.
std::vector<NumberedLine> run_policies(const Environment& environment, const Policies& policies,
                                       const ProgressModel& progress, const Groups& groups, int most_steps,
                                       const Communicator& communicator) {
  Progress bar("strategies", std::ssize(groups), communicator.rank() == 0);
  std::vector<NumberedLine> mine;
  Share share(communicator, std::ssize(groups));
  while (const auto g = share.next()) {
    const auto& items = groups[static_cast<std::size_t>(*g)];
    const auto episodes = environment.open(Split::kReported, items);
    mine.push_back({*g, to_line(run_group(policies, progress, *episodes, items, most_steps))});
    bar.update(*g + 1);
  }
  return mine;
}

std::int64_t items_of(const Groups& groups) {
  std::int64_t items = 0;
  for (const auto& group : groups) items += std::ssize(group);
  return items;
}

ordered_json header_of(const Environment& environment, const ExperimentOptions& o,
                       const ProgressModel& progress, std::int64_t items) {
  const ThresholdSummary summary = summarise_thresholds(progress.process(), progress.solution());
  ordered_json header{{"environment", environment.name()}, {"items", items}};
  header.update(environment.header());
  header.update(ordered_json{{"max_k", o.max_k},
                             {"mu", o.progress.mu},
                             {"gamma", o.progress.gamma},
                             {"grid", o.progress.grid},
                             {"seed", o.seed},
                             {"calibration_depth", o.calibration_depth},
                             {"oracle_depth", o.oracle_depth},
                             {"mdp",
                              {{"theta_continue", summary.theta_continue},
                               {"theta_star", summary.theta_star},
                               {"bands", summary.bands},
                               {"threshold_form", summary.threshold_form},
                               {"regret", summary.regret}}}});
  return header;
}

// The runs of all groups, in the order of the groups.
ExperimentReport report_of(const Environment& environment, const Policies& policies,
                           std::span<const NumberedLine> groups) {
  std::vector<ItemRow> rows;
  std::vector<std::vector<std::int64_t>> tallies(policies.size());
  std::vector<double> u;
  std::vector<int> right;
  for (const NumberedLine& group : groups) {
    GroupRuns runs = from_line(group.line);
    rows.insert(rows.end(), runs.rows.begin(), runs.rows.end());
    for (std::size_t p = 0; p < policies.size(); ++p) add(tallies[p], runs.tallies[p]);
    u.insert(u.end(), runs.u.begin(), runs.u.end());
    right.insert(right.end(), runs.right.begin(), runs.right.end());
  }
  const std::vector<PolicyRows> by_policy = group_by_policy(std::move(rows));
  ExperimentReport report{compare_all(by_policy)};
  for (std::size_t p = 0; p < policies.size(); ++p) {
    RELMPI_CHECK(by_policy[p].rows.size() == u.size(), "{} rows of {} items", by_policy[p].rows.size(),
                 u.size());
    report.policies[p].figures = environment.figures(tallies[p]);
    report.rows.insert(report.rows.end(), by_policy[p].rows.begin(), by_policy[p].rows.end());
  }
  report.u = {expected_calibration_error(u, right), auroc(u, right), std::ssize(u)};
  return report;
}

}  // namespace

void ExperimentOptions::validate() const {
  demand(max_k >= 0 && max_k <= 64, "--max-k", max_k, "0 to 64");
  demand(calibration_depth >= 3 && calibration_depth <= 6, "--calibration-depth", calibration_depth,
         "3 to 6");
  demand(oracle_depth >= 0 && oracle_depth <= 8, "--oracle-depth", oracle_depth, "0 to 8");
  demand(progress.grid >= 2 && progress.grid <= 2001, "--grid", progress.grid, "2 to 2001");
  demand(progress.mu >= 0, "--mu", progress.mu, "at least 0");
  demand(progress.gamma > 0 && progress.gamma <= 1, "--gamma", progress.gamma, "in (0, 1]");
  demand(progress.bandwidth > 0, "--bandwidth", progress.bandwidth, "above 0");
  expand_policy_names(policies, max_k);
}

ExperimentReport run_experiment(Environment& environment, const ExperimentOptions& options,
                                Communicator& communicator) {
  options.validate();
  environment.demand_disjoint();
  const Groups groups = environment.groups(Split::kReported);
  if (groups.empty()) throw InputError("the reported split has no item that can run");
  const int most_steps = options.max_k + 1;

  environment.fit(communicator);
  Calibration calibration = open_calibration(environment, communicator, options.calibration_depth);
  const ProgressModel progress(all_steps(calibration.steps, communicator), options.progress);
  const Policies policies = make_policies(
      expand_policy_names(options.policies, options.max_k),
      {.oracle_depth = options.oracle_depth, .mu = options.progress.mu, .seed = options.seed}, progress);
  const CalibrationRuns fitting(std::move(calibration.groups), most_steps);
  for (const auto& policy : policies) policy->fit(fitting, communicator);

  const auto runs = gather_lines(
      communicator, run_policies(environment, policies, progress, groups, most_steps, communicator));
  if (communicator.rank() != 0) return {};
  ExperimentReport report = report_of(environment, policies, runs);
  report.header = header_of(environment, options, progress, items_of(groups));
  return report;
}

ordered_json to_json(const ExperimentReport& report) {
  const auto known = [](std::optional<double> value) {
    return value ? ordered_json(*value) : ordered_json();
  };
  ordered_json document{{"header", report.header}};
  document.update(to_json(static_cast<const ComparisonReport&>(report)));
  document["calibration"] = {
      {"ece", known(report.u.ece)}, {"auroc", known(report.u.auroc)}, {"items", report.u.items}};
  auto rows = ordered_json::array();
  for (const ItemRow& row : report.rows) {
    rows.push_back(to_json(row));
    rows.back().erase("cost_ms");
  }
  document["rows"] = std::move(rows);
  return document;
}

}  // namespace relmpi
