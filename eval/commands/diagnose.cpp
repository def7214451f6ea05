#include "train/diagnose/diagnose.h"

#include <fstream>

#include "base/json.h"
#include "base/torch_headers.h"
#include "dist/ranks/agreement.h"
#include "dist/ranks/job.h"
#include "eval/commands/commands.h"
#include "train/command_line.h"

namespace relmpi {
namespace {

struct Options {
  TrainOptions training;
  DiagnoseOptions diagnose;
};

int run(const Options& given, Invocation& invocation) {
  Options options = given;
  TrainOptions& training = options.training;
  options.diagnose.steps = training.steps;
  options.diagnose.validate();
  training.validate();
  if (const std::string& file = options.diagnose.trace; !file.empty() && !std::ofstream(file, std::ios::app))
    throw InputError("--trace {}: the file cannot be written; is the folder there?", file);
  Job job(training.job, invocation, {"data", "validation", "model", "vocab", "confusion"});
  job.reduce_on_device();
  const Setup setup = prepare(training, job.ranks(), job.device());
  demand_agreement(job.ranks(), {{"data", setup.data->fingerprint()},
                                 {"model", to_json(setup.model.config)},
                                 {"weights", setup.model.parameters->hash()}});
  const auto stages = run_stages(training, options.diagnose, setup, job.ranks(), job.device());
  if (!job.is_first()) return 0;
  auto report = diagnose_report(stages, job.device());
  report["settings"] = {{"ranks", job.ranks().size()},
                        {"threads", job.threads()},
                        {"parameters", setup.model.parameters->flat().numel()},
                        {"precision", training.precision},
                        {"global_batch", training.global_batch},
                        {"micro_batch", training.micro_batch},
                        {"warmup_steps", options.diagnose.warmup},
                        {"data", setup.data->fingerprint()}};
  if (training.json)
    print_json(report);
  else
    fmt::print("{}", diagnose_text(report));
  return 0;
}

void add_options(CLI::App& app, Options& options) {
  options.training.steps = 20;
  options.training.out = "unused";
  add_train_options(app, options.training);
  for (const char* other : {"--out", "--fresh", "--epochs", "--validation", "--evaluate-every",
                            "--evaluate-limit", "--checkpoint-every", "--log-every", "--metric", "--patience",
                            "--tune-thresholds", "--debug", "--check-replicas", "--max-skipped"})
    app.get_option(other)->group("");  // accepted, so that a command of relmpi-train can be pasted
  app.get_option("--steps")->description("steps of each stage that are measured");
  app.get_option("--json")->description("print one JSON document on stdout");
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
