#include "train/diagnose/diagnose.h"

#include <fstream>

#include "base/json.h"
#include "base/torch_headers.h"
#include "dist/ranks/agreement.h"
#include "dist/ranks/job.h"
#include "eval/commands/commands.h"
#include "train/command_line.h"
#include "train/deterministic.h"
#include "train/diagnose/diagnose_report.h"

namespace relmpi {
namespace {

struct Options {
  DataOptions data;
  StepOptions step;
  DiagnoseOptions diagnose;
  JobOptions job;
  bool json = false;
  RunOptions run;  // of relmpi-train: taken, so that its command can be pasted, and not used
};

// Run options have a group of their own, without a name.
void tell_unused(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_option_group("")->get_options())
    if (option->count() > 0) names.push_back(option->get_name());
  if (!names.empty()) spdlog::info("without effect here: {}", fmt::join(names, ", "));
}

int run(const Options& options, Invocation& invocation) {
  options.data.validate();
  options.step.validate();
  options.diagnose.validate();
  if (const std::string& file = options.diagnose.trace; !file.empty() && !std::ofstream(file, std::ios::app))
    throw InputError("--trace {}: the file cannot be written; is the folder there?", file);
  if (options.step.deterministic) compute_deterministically();
  Job job(options.job, invocation, data_paths());
  if (job.is_first()) tell_unused(invocation.command);
  job.reduce_on_device();
  const Setup setup = prepare(options.data, options.step, job.ranks(), job.device());
  demand_agreement(job.ranks(), {{"data", setup.data->fingerprint()},
                                 {"model", to_json(setup.model.config)},
                                 {"weights", setup.model.parameters->hash()}});
  auto stages = run_stages(options.data, options.step, options.diagnose, setup, job.ranks(), job.device());
  if (!job.is_first()) return 0;
  const DiagnoseReport report = diagnose_report(std::move(stages), job.device());
  if (!options.json) {
    fmt::print("{}", report.to_text());
    return 0;
  }
  auto document = report.to_json();
  document["settings"] = {{"ranks", job.ranks().size()},
                          {"threads", job.threads()},
                          {"parameters", setup.model.parameters->count()},
                          {"precision", options.step.precision},
                          {"deterministic", options.step.deterministic},
                          {"global_batch", options.step.global_batch},
                          {"micro_batch", options.step.micro_batch},
                          {"warmup_steps", options.diagnose.warmup},
                          {"data", setup.data->fingerprint()}};
  print_json(document);
  return 0;
}

void add_options(CLI::App& app, Options& options) {
  app.add_flag("--json", options.json, "print one JSON document on stdout");
  add_data_options(app, options.data);
  add_step_options(app, options.step);
  add_job_options(app, options.job);
  add_run_options(*app.add_option_group(""), options.run);  // without a name: not in --help
  for (const char* other : {"--validation", "--debug"}) app.get_option(other)->group("");
  app.add_option("--steps", options.diagnose.steps, "steps of each stage that are measured")
      ->capture_default_str();
  app.add_option("--warmup-steps", options.diagnose.warmup,
                 "steps of each stage before those that are measured")
      ->capture_default_str();
  app.add_option("--stages", options.diagnose.stages,
                 "only these: " + fmt::format("{}", fmt::join(stage_names(), ", ")))
      ->delimiter(',');
  app.add_option("--trace", options.diagnose.trace,
                 "file for a timeline of two steps, which chrome://tracing and ui.perfetto.dev open");
  app.footer(
      "Example: mpirun -np 2 relmpi-eval diagnose --model bert-base-chinese --data shards/train --confusion "
      "confusion.json\n--precision bf16 --global-batch 32");
}

}  // namespace

void add_diagnose(Tool& tool) {
  tool.add<Options>({.name = "diagnose",
                     .help = "where the time of a training step goes: six stages on the same batches "
                             "(also under mpirun). Takes the options "
                             "of relmpi-train; nothing is written.",
                     .options = &add_options,
                     .run = &run});
}

}  // namespace relmpi
