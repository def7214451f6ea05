#include "base/json.h"
#include "base/torch_headers.h"
#include "base/units.h"
#include "dist/commands/commands.h"
#include "dist/commands/tables.h"
#include "dist/ranks/job.h"

namespace relmpi {
namespace {

struct AllreduceOptions {
  JobOptions job;
  std::string bytes = "256MiB";
  bool json = false;
};

void add_options(CLI::App& app, AllreduceOptions& options) {
  app.add_flag("--json", options.json, "print one JSON document");
  add_job_options(app, options.job);
  app.add_option("--bytes", options.bytes, "largest message, such as 64MiB")->capture_default_str();
}

int run(const AllreduceOptions& options, Invocation& invocation) {
  const std::int64_t largest = parse_bytes(options.bytes);
  demand(largest > 0, "--bytes", options.bytes, "more than 0, such as 64MiB");
  Job job(options.job, invocation);
  job.reduce_on_device();
  const AllreduceSpeed speed = measure_allreduce(job.ranks(), job.device(), largest);
  if (!job.is_first()) return 0;
  if (options.json)
    print_json(to_json(speed));
  else
    fmt::print("{}", to_text(speed));
  return 0;
}

}  // namespace

void add_allreduce(Tool& tool) {
  tool.add<AllreduceOptions>({.name = "allreduce",
                              .help = "checked all-reduce: latency and bus bandwidth by size",
                              .options = &add_options,
                              .run = &run});
}

}  // namespace relmpi
