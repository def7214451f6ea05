#include "train/selftest/selftest.h"

#include <fmt/format.h>

#include "base/json.h"
#include "dist/commands/commands.h"
#include "dist/ranks/job.h"

namespace relmpi {
namespace {

struct SelftestOptions {
  JobOptions job;
  bool json = false;
};

void add_options(CLI::App& app, SelftestOptions& options) {
  app.add_flag("--json", options.json, "print one JSON document");
  add_job_options(app, options.job);
  app.footer(
      "The first thing to run on a new GPU machine; it takes less than a minute. Exit code 1 if a check "
      "failed.\n"
      "  relmpi-doctor selftest                      one GPU\n"
      "  mpirun -np 4 relmpi-doctor selftest         four, each for itself, and the sums over all\n"
      "  relmpi-doctor selftest --device cpu         what can be checked without a GPU: a GPU's operators on "
      "the CPU");
}

int run(const SelftestOptions& options, Invocation& invocation) {
  Job job(options.job, invocation);
  job.reduce_on_device();
  const SelftestReport report = run_selftest(job.ranks(), job.device());
  if (!job.is_first()) return 0;
  if (options.json)
    print_json(to_json(report));
  else
    fmt::print("{}", to_text(report));
  return report.failed() > 0 ? static_cast<int>(Exit::kFailed) : 0;
}

}  // namespace

void add_selftest(Tool& tool) {
  tool.add<SelftestOptions>({.name = "selftest",
                             .help = "does this machine train and decode rightly: checks against the CPU",
                             .options = &add_options,
                             .run = &run});
}

}  // namespace relmpi
