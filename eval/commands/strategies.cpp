#include "base/files.h"
#include "base/torch_headers.h"
#include "dist/ranks/agreement.h"
#include "eval/commands/commands.h"
#include "eval/csc/corrector_session.h"
#include "eval/csc/csc_environment.h"
#include "eval/decisions/experiment.h"

namespace relmpi {
namespace {

struct Options {
  CorrectorSessionOptions session;
  CscEnvironmentOptions csc;
  ExperimentOptions experiment;
  std::string environment = "csc", data, calibration, out;
  bool json = false;
};

int run(const Options& options, Invocation& invocation) {
  if (options.environment != "csc")
    throw InputError("--environment is {}; this build has csc (spelling correction)", options.environment);
  options.csc.validate();
  options.experiment.validate();
  const auto file = result_file(options.out, "strategies.json");
  const CorrectorSession session(options.session, invocation, {"data", "calibration"});
  if (!session.model.config.has_candidates())
    throw InputError("{} was trained with --ablation {}: without candidates there is nothing to retrieve",
                     options.session.model, name_of(kAblations, session.model.config.ablation));
  const Dataset calibration(options.calibration, *session.model.vocabulary);
  const Dataset dataset(options.data, *session.model.vocabulary);
  demand_agreement(session.job.ranks(),
                   {{"--data", dataset.fingerprint()}, {"--calibration", calibration.fingerprint()}});
  const Corrector corrector(*session.predictor);
  CscEnvironment environment(corrector, calibration, dataset, session.model.config.thresholds, options.csc);
  const ExperimentReport report = run_experiment(environment, options.experiment, session.job.ranks());
  if (!session.job.is_first()) return 0;
  const std::string document = options.json || !file.empty() ? to_json(report).dump() + "\n" : "";
  if (!file.empty()) {
    create_folder(options.out);
    write_file_atomic(file, document);
  }
  fmt::print("{}", options.json ? document : to_text(report));
  return 0;
}

void add_options(CLI::App& app, Options& options) {
  options.session.add_to(app);
  ExperimentOptions& s = options.experiment;
  app.add_option("--environment", options.environment, "csc")->capture_default_str();
  app.add_option("--data", options.data, "folder of shards to report on")->required();
  app.add_option("--calibration", options.calibration,
                 "folder of shards to fit on; must share no sentence with --data")
      ->required();
  app.add_option(
         "--policies", s.policies,
         "of mdp, fixed-k (all k), fixed-3, always-retrieve, always-reason, random, threshold, oracle")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--max-k", s.max_k, "largest k; no policy runs more than max-k + 1 steps")
      ->capture_default_str();
  app.add_option("--mu", s.progress.mu, "price of one step of mean cost, in accuracy")->capture_default_str();
  app.add_option("--gamma", s.progress.gamma, "discount of what follows a step")->capture_default_str();
  app.add_option("--grid", s.progress.grid, "grid points of U")->capture_default_str();
  app.add_option("--bandwidth", s.progress.bandwidth, "of the kernel regression of transitions over U")
      ->capture_default_str();
  app.add_option("--calibration-depth", s.calibration_depth, "steps tried in every order on --calibration")
      ->capture_default_str();
  app.add_option("--oracle-depth", s.oracle_depth, "steps the oracle may choose among")
      ->capture_default_str();
  app.add_option("--batch", options.csc.group, "sentences that run together")->capture_default_str();
  app.add_option("--limit", options.csc.limit, "only the first items; 0 = all")->capture_default_str();
  app.add_option("--seed", s.seed, "of the random policy")->capture_default_str();
  app.add_option("--out", options.out, "folder for strategies.json");
  app.add_flag("--json", options.json, "print one JSON document");
}

}  // namespace

void add_strategies(Tool& tool) {
  tool.add<Options>({.name = "strategies",
                     .help = "compares ways to choose steps: an MDP policy, "
                             "fixed-k and others (also under mpirun)",
                     .options = &add_options,
                     .run = &run});
}

}  // namespace relmpi
