#include "eval/decisions/experiment.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "data/loader/sentence_groups.h"
#include "eval/csc/metrics.h"
#include "eval/csc/reason_thresholds.h"
#include "eval/decisions/comparison.h"

namespace relmpi {
namespace {

using nlohmann::ordered_json;

void demand_disjoint(const SentencePairs& calibration, const SentencePairs& reported) {
  const std::set<SentenceIds> seen(calibration.target.begin(), calibration.target.end());
  std::int64_t shared = 0;
  for (const SentenceIds& target : reported.target) shared += seen.contains(target);
  if (shared > 0)
    throw InputError(
        "{} of {} sentences of --data are in --calibration too: what is fitted would be reported on itself. "
        "Give two disjoint splits (relmpi-data shard --split)",
        shared, reported.target.size());
}

CorrectionStates states_of(const Corrector& corrector, const PassThresholds& thresholds,
                           const SentencePairs& pairs, const std::vector<std::int64_t>& group) {
  std::vector<SentenceIds> source, target;
  for (const std::int64_t i : group) {
    source.push_back(pairs.source[static_cast<std::size_t>(i)]);
    target.push_back(pairs.target[static_cast<std::size_t>(i)]);
  }
  return {corrector, thresholds, std::move(source), std::move(target)};
}

// Steps of all groups in the order of the groups, the same on every rank.
std::vector<ObservedStep> gather_steps(
    const std::vector<std::pair<std::size_t, std::vector<ObservedStep>>>& mine, std::size_t groups,
    Communicator& communicator) {
  std::string bytes;
  const auto put = [&](const void* data, std::size_t size) {
    bytes.append(static_cast<const char*>(data), size);
  };
  for (const auto& [group, steps] : mine) {
    const std::uint64_t head[2] = {group, steps.size()};
    put(head, sizeof(head));
    put(steps.data(), steps.size() * sizeof(ObservedStep));
  }
  const auto all = communicator.gather_bytes(bytes);
  std::vector<std::string> by_group(groups);
  for (const std::string& part : all) {
    for (std::size_t at = 0; at < part.size();) {
      std::uint64_t head[2];
      std::memcpy(head, part.data() + at, sizeof(head));
      const std::size_t size = head[1] * sizeof(ObservedStep);
      by_group[head[0]] = part.substr(at + sizeof(head), size);
      at += sizeof(head) + size;
    }
  }
  std::string joined;
  for (const std::string& group : by_group) joined += group;
  joined = communicator.broadcast_bytes(std::move(joined));
  std::vector<ObservedStep> steps(joined.size() / sizeof(ObservedStep));
  std::memcpy(steps.data(), joined.data(), joined.size());
  return steps;
}

// What a rank's trajectories add to the report.
struct LocalRows {
  std::vector<ordered_json> rows;
  std::vector<OutcomeCounts> outcomes;  // by policy
  std::vector<double> u;                // after one retrieve, for the calibration of U on the items reported
  std::vector<int> right;
};

struct GatheredRows {
  std::vector<ItemRow> rows;
  std::vector<OutcomeCounts> outcomes;
  std::vector<double> u;
  std::vector<int> right;
};

void add_rows(LocalRows& local, std::size_t policy, const std::vector<Trajectory>& trajectories,
              const CorrectionStates& states) {
  for (const Trajectory& t : trajectories) {
    const State& last = states.state(t.final_state);
    const auto as_text = [](const SentenceIds& ids) { return std::u32string(ids.begin(), ids.end()); };
    local.outcomes[policy].add(correction_outcome(as_text(states.source(last.item)),
                                                  as_text(states.target(last.item)), as_text(last.text)));
    local.rows.push_back(to_json(t.row));
  }
}

// Calibration of U on the items reported: every first pass with the gate on.
ordered_json calibration_of(const std::vector<double>& u, const std::vector<int>& right) {
  const auto ece = expected_calibration_error(u, right);
  const auto area = auroc(u, right);
  return {{"ece", ece ? ordered_json(*ece) : ordered_json(nullptr)},
          {"auroc", area ? ordered_json(*area) : ordered_json(nullptr)},
          {"items", u.size()}};
}

ordered_json header_of(const StrategyOptions& o, const PassThresholds& passes, const ProgressModel& progress,
                       std::size_t items, const Dataset& calibration, const Dataset& dataset,
                       std::int64_t too_long) {
  const ThresholdSummary summary = summarise_thresholds(progress.process(), progress.solution());
  const auto thresholds = [](const DecisionThresholds& t) {
    return ordered_json{{"detect", t.detect}, {"gate", t.gate}, {"margin", t.margin}};
  };
  return {{"environment", "csc"},
          {"items", items},
          {"retrieve_thresholds", thresholds(passes.retrieve)},
          {"reason_thresholds", thresholds(passes.reason)},
          {"too_long", too_long},
          {"data", dataset.fingerprint()},
          {"calibration_data", calibration.fingerprint()},
          {"max_k", o.max_k},
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
            {"regret", summary.regret}}}};
}

// One rank's share of fitting: every pass seen in its groups of the calibration split.
ProgressModel fit_progress(const Corrector& corrector, const SentencePairs& pairs,
                           const std::vector<std::vector<std::int64_t>>& groups,
                           const PassThresholds& thresholds, Communicator& communicator,
                           const StrategyOptions& options) {
  Progress bar("fitting", static_cast<std::int64_t>(groups.size()), communicator.rank() == 0);
  std::vector<std::pair<std::size_t, std::vector<ObservedStep>>> observed;
  for (auto g = static_cast<std::size_t>(communicator.rank()); g < groups.size();
       g += static_cast<std::size_t>(communicator.size())) {
    CorrectionStates states = states_of(corrector, thresholds, pairs, groups[g]);
    observed.emplace_back(g, observe(states, options.calibration_depth));
    bar.update(static_cast<std::int64_t>(g) + 1);
  }
  return {gather_steps(observed, groups.size(), communicator), options.progress};
}

// What `random` and `threshold` need of the calibration split, each rank on its groups.
void fit_remaining(std::vector<PolicySpec>& policies, const Corrector& corrector, const SentencePairs& pairs,
                   const std::vector<std::vector<std::int64_t>>& groups, const PassThresholds& thresholds,
                   const ProgressModel& progress, const PolicyRun& run, double mu,
                   Communicator& communicator) {
  std::vector<CorrectionStates> mine;
  for (auto g = static_cast<std::size_t>(communicator.rank()); g < groups.size();
       g += static_cast<std::size_t>(communicator.size()))
    mine.push_back(states_of(corrector, thresholds, pairs, groups[g]));
  fit_policies(policies, mine, progress, run, mu, communicator);
}

// Every policy over every item of this rank's groups.
LocalRows run_groups(const std::vector<PolicySpec>& policies, const Corrector& corrector,
                     const SentencePairs& pairs, const std::vector<std::vector<std::int64_t>>& groups,
                     const PassThresholds& thresholds, const ProgressModel& progress, const PolicyRun& run,
                     const Communicator& communicator) {
  LocalRows local;
  local.outcomes.resize(policies.size());
  Progress bar("strategies", static_cast<std::int64_t>(groups.size()), communicator.rank() == 0);
  for (auto g = static_cast<std::size_t>(communicator.rank()); g < groups.size();
       g += static_cast<std::size_t>(communicator.size())) {
    CorrectionStates states = states_of(corrector, thresholds, pairs, groups[g]);
    for (std::size_t p = 0; p < policies.size(); ++p)
      add_rows(local, p, run_policy(policies[p], states, progress, groups[g], run), states);
    std::vector<std::int64_t> roots;
    for (std::int64_t i = 0; i < states.items(); ++i) roots.push_back(states.root(i));
    for (const std::int64_t id : states.step(roots, Action::kRetrieve)) {
      local.u.push_back(progress.u(states.state(id)));
      local.right.push_back(states.state(id).correct);
    }
    bar.update(static_cast<std::int64_t>(g) + 1);
  }
  return local;
}

// Rows, U and outcomes of all ranks on rank 0, rows in the order of policies and items; the other ranks get
// outcomes.
GatheredRows gather_rows(LocalRows local, const std::vector<PolicySpec>& policies,
                         Communicator& communicator) {
  GatheredRows all;
  for (const OutcomeCounts& counts : local.outcomes) {
    std::int64_t sums[5] = {counts.tp, counts.fp, counts.fn, counts.wp, counts.tn};
    communicator.all_reduce_host(sums, 5, ReduceType::kInt64);
    all.outcomes.push_back({.tp = sums[0], .fp = sums[1], .fn = sums[2], .wp = sums[3], .tn = sums[4]});
  }
  const nlohmann::json mine{{"rows", local.rows}, {"u", local.u}, {"right", local.right}};
  for (const std::string& part : communicator.gather_bytes(mine.dump())) {
    const auto document = nlohmann::json::parse(part);
    for (const auto& row : document["rows"]) all.rows.push_back(item_row_from_json(row));
    for (const auto& u : document["u"]) all.u.push_back(u.get<double>());
    for (const auto& right : document["right"]) all.right.push_back(right.get<int>());
  }
  const auto place = [&](const ItemRow& row) {
    for (std::size_t p = 0; p < policies.size(); ++p)
      if (policies[p].name == row.policy) return p;
    RELMPI_CHECK(false, "a row of the unknown policy {}", row.policy);
  };
  std::sort(all.rows.begin(), all.rows.end(), [&](const ItemRow& a, const ItemRow& b) {
    return std::pair(place(a), a.item) < std::pair(place(b), b.item);
  });
  return all;
}

}  // namespace

void StrategyOptions::validate() const {
  const auto demand = [](bool holds, const char* option, double value, const char* rule) {
    if (!holds) throw InputError("{} is {}, but must be {}", option, value, rule);
  };
  demand(max_k >= 0 && max_k <= 64, "--max-k", max_k, "0 to 64");
  demand(calibration_depth >= 3 && calibration_depth <= 6, "--calibration-depth", calibration_depth,
         "3 to 6");
  demand(oracle_depth >= 0 && oracle_depth <= 8, "--oracle-depth", oracle_depth, "0 to 8");
  demand(limit >= 0, "--limit", static_cast<double>(limit), "at least 0 (0 = all)");
  demand(group >= 1, "--batch", static_cast<double>(group), "at least 1");
  demand(progress.grid >= 2 && progress.grid <= 2001, "--grid", static_cast<double>(progress.grid),
         "2 to 2001");
  demand(progress.mu >= 0, "--mu", progress.mu, "at least 0");
  demand(progress.gamma > 0 && progress.gamma <= 1, "--gamma", progress.gamma, "in (0, 1]");
  demand(progress.bandwidth > 0, "--bandwidth", progress.bandwidth, "above 0");
}

ordered_json compare_strategies(const Corrector& corrector, const Dataset& calibration,
                                const Dataset& dataset, const DecisionThresholds& thresholds,
                                Communicator& communicator, const StrategyOptions& options) {
  options.validate();
  std::vector<PolicySpec> policies = parse_policies(options.policies, options.max_k);
  const SentencePairs fitted = read_sentence_pairs(calibration, 0);
  const SentencePairs reported = read_sentence_pairs(dataset, options.limit);
  demand_disjoint(fitted, reported);
  const auto fit_groups = length_groups(corrector.longest(), fitted, options.group);
  const auto groups = length_groups(corrector.longest(), reported, options.group);
  const PolicyRun run{
      .max_steps = options.max_k + 1, .oracle_depth = options.oracle_depth, .seed = options.seed};

  const PassThresholds passes{
      .retrieve = thresholds,
      .reason = fit_reason_thresholds(corrector, fitted, fit_groups, thresholds, communicator)};
  const ProgressModel progress = fit_progress(corrector, fitted, fit_groups, passes, communicator, options);
  fit_remaining(policies, corrector, fitted, fit_groups, passes, progress, run, options.progress.mu,
                communicator);
  GatheredRows all =
      gather_rows(run_groups(policies, corrector, reported, groups, passes, progress, run, communicator),
                  policies, communicator);
  if (communicator.rank() != 0) return nullptr;

  std::int64_t too_long = 0;
  for (const SentenceIds& ids : reported.source) too_long += !corrector.fits(ids);
  const std::size_t items = reported.source.size() - static_cast<std::size_t>(too_long);
  RELMPI_CHECK(all.rows.size() == policies.size() * items, "{} rows came", all.rows.size());
  ordered_json document{
      {"header", header_of(options, passes, progress, items, calibration, dataset, too_long)}};
  ordered_json rows = ordered_json::array();
  for (const ItemRow& row : all.rows) {
    ordered_json one = to_json(row);
    one.erase("cost_ms");  // a measurement: rows hold what is the same at any number of ranks
    rows.push_back(std::move(one));
  }
  document.update(comparison_report(std::move(all.rows)));
  for (std::size_t p = 0; p < policies.size(); ++p) {
    const OutcomeCounts& c = all.outcomes[p];
    document["policies"][p].update(
        {{"precision", c.precision()}, {"recall", c.recall()}, {"f1", c.f1()}, {"fpr", c.fpr()}});
  }
  document["calibration"] = calibration_of(all.u, all.right);
  document["rows"] = std::move(rows);
  return document;
}

}  // namespace relmpi
