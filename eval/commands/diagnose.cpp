#include "eval/commands/diagnose.h"

#include <fstream>

#include "base/torch_headers.h"
#include "dist/ranks/backends.h"
#include "dist/ranks/rank_device.h"
#include "train/command_line.h"
#include "train/diagnose/diagnose.h"

namespace relmpi {
namespace {

struct Options {
  TrainOptions training;
  DiagnoseOptions diagnose;
};

int run(Options options, std::unique_ptr<Communicator>& communicator) {
  TrainOptions& training = options.training;
  options.diagnose.steps = training.steps;
  options.diagnose.validate();
  training.validate();
  if (const std::string& file = options.diagnose.trace; !file.empty() && !std::ofstream(file, std::ios::app))
    throw InputError("--trace {}: the file cannot be written; is the folder there?", file);
  const CommunicatorOptions limits{.timeout_seconds = training.collective_timeout};
  communicator = make_communicator(limits);
  start_log(communicator->rank(), communicator->size());
  const at::Device device = choose_device(*communicator, training.device);
  const int threads = set_threads(*communicator, training.threads);
  communicator = communicator_for(std::move(communicator), device, limits);
  const Setup setup = prepare(training, *communicator, device);
  const auto stages = run_stages(training, options.diagnose, setup, *communicator, device);
  if (communicator->rank() != 0) return 0;
  auto report = diagnose_report(stages, device);
  report["settings"] = {{"ranks", communicator->size()},
                        {"threads", threads},
                        {"parameters", setup.model.parameters->flat().numel()},
                        {"precision", training.precision},
                        {"global_batch", training.global_batch},
                        {"micro_batch", training.micro_batch},
                        {"warmup_steps", options.diagnose.warmup},
                        {"data", setup.data->fingerprint()}};
  if (training.json)
    fmt::print("{}\n", report.dump());
  else
    fmt::print("{}", diagnose_text(report));
  return 0;
}

}  // namespace

void add_diagnose_command(CLI::App& app, std::function<int()>& body,
                          std::unique_ptr<Communicator>& communicator) {
  auto o = std::make_shared<Options>();
  o->training.steps = 20;
  o->training.out = "unused";
  CLI::App* sub = app.add_subcommand("diagnose",
                                     "where the time of a training step goes: six stages on the same batches "
                                     "(also under mpirun). Takes the options "
                                     "of relmpi-train; nothing is written.");
  add_train_options(*sub, o->training);
  for (const char* other : {"--out", "--fresh", "--epochs", "--validation", "--evaluate-every",
                            "--evaluate-limit", "--checkpoint-every", "--log-every", "--metric", "--patience",
                            "--tune-thresholds", "--debug", "--check-replicas", "--max-skipped"})
    sub->get_option(other)->group("");  // accepted, so that a command of relmpi-train can be pasted
  sub->get_option("--steps")->description("steps of each stage that are measured");
  sub->get_option("--json")->description("print one JSON document on stdout");
  sub->add_option("--warmup-steps", o->diagnose.warmup, "steps of each stage before those that are measured")
      ->capture_default_str();
  sub->add_option("--stages", o->diagnose.stages,
                  "only these: " + fmt::format("{}", fmt::join(stage_names(), ", ")))
      ->delimiter(',');
  sub->add_option("--trace", o->diagnose.trace,
                  "file for a timeline of two steps, which chrome://tracing and ui.perfetto.dev open");
  sub->footer(
      "Example: mpirun -np 2 relmpi-eval diagnose --model bert-base-chinese --data shards/train --confusion "
      "confusion.json\n--precision bf16 --global-batch 32");
  sub->callback([o, &body, &communicator] { body = [o, &communicator] { return run(*o, communicator); }; });
}

}  // namespace relmpi
