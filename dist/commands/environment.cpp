#include "base/json.h"
#include "base/torch_headers.h"
#include "dist/commands/commands.h"
#include "dist/commands/tables.h"
#include "dist/devices/host_checks.h"
#include "dist/ranks/job.h"

namespace relmpi {
namespace {

struct EnvironmentOptions {
  JobOptions job;
  bool json = false;
};

void add_options(CLI::App& app, EnvironmentOptions& options) {
  app.add_flag("--json", options.json, "print one JSON document");
  add_job_options(app, options.job);
}

int run(const EnvironmentOptions& options, Invocation& invocation) {
  const Job job(options.job, invocation);
  auto found = describe_environment(job.ranks(), job.device());
  if (!found) return 0;
  found->gpus = gpus();  // also those that no rank computes on
  if (const std::string finding = launch_finding(); job.ranks().size() == 1 && !finding.empty())
    found->findings.push_back(finding);
  if (options.json)
    print_json(to_json(*found));
  else
    fmt::print("{}", to_text(*found));
  return 0;
}

}  // namespace

void add_environment(Tool& tool) {
  tool.add<EnvironmentOptions>({.name = "environment",
                                .help = "versions, launcher, ranks, hosts, devices and threads",
                                .options = &add_options,
                                .run = &run});
}

}  // namespace relmpi
