// relmpi-train: trains a DGCA-ReLM corrector on one process or, under mpirun or srun, on many.

#include <memory>

#include "base/allocator.h"
#include "base/error.h"
#include "base/json.h"
#include "base/tool.h"
#include "base/torch_headers.h"
#include "dist/ranks/environment.h"
#include "dist/ranks/job.h"
#include "dist/ranks/launch.h"
#include "dist/ranks/signals.h"
#include "model/dgca/attention.h"
#include "model/dtype.h"
#include "train/command_line.h"
#include "train/debug.h"
#include "train/deterministic.h"
#include "train/trainer.h"

namespace relmpi {
namespace {

std::string attention_of(const Model& model, at::ScalarType dtype) {
  const ModelConfig& c = model.config;
  return describe_attention(model.parameters->device(), dtype, c.num_attention_heads,
                            c.hidden_size / c.num_attention_heads, c.max_length,
                            c.attention_probs_dropout_prob);
}

void add_options(CLI::App& app, TrainOptions& options) {
  app.set_config("--config", "", "TOML file with any of these options, such as a run's config.toml");
  app.allow_config_extras(CLI::config_extras_mode::error);  // a misspelt name is not passed over
  add_train_options(app, options);
}

int train(const TrainOptions& options, Invocation& invocation) {
  options.validate();
  if (options.step.deterministic) compute_deterministically();
  if (options.step.debug) start_debugging();
  Job job(options.job, invocation, data_paths());
  nlohmann::json environment;
  if (const auto found = describe_environment(job.ranks(), job.device())) {
    for (const std::string& finding : found->findings) spdlog::warn("{}", finding);
    environment = to_json(*found);
  }
  job.reduce_on_device();
  const bool first = job.is_first();

  if (first && options.run.fresh) demand_empty(options.run.out);
  Setup setup = prepare(options.data, options.step, job.ranks(), job.device());
  // Only now: a wrong option leaves no folder behind, which --fresh would refuse the next time.
  std::unique_ptr<RunFolder> folder;
  if (first) {
    folder = std::make_unique<RunFolder>(options.run.out);
    log_to_file(folder->path() / "log.txt");
  }
  if (first)
    spdlog::info("{} sentences, {} characters; {} parameters; {} on {} rank{}, {} thread{} each; backend {}",
                 setup.data->sentences(), setup.data->tokens(), setup.model.parameters->count(),
                 options.step.precision, job.ranks().size(), job.ranks().size() == 1 ? "" : "s",
                 job.threads(), job.threads() == 1 ? "" : "s", job.ranks().backend());
  const std::string attention = attention_of(setup.model, dtype_of(options.step.precision));
  environment["attention"] = attention;
  environment["deterministic"] = options.step.deterministic;
  if (first) spdlog::info("attention: {}", attention);
  Trainer trainer(options, std::move(setup), job.ranks(), folder.get());
  trainer.resume();
  if (first) folder->write_records(invocation.command.config_to_str(true, true), environment);
  const Exit exit = trainer.run();
  if (first && options.json) print_json(trainer.summary(exit));
  return static_cast<int>(exit);
}

constexpr Command<TrainOptions> kTrain{
    .name = "relmpi-train",
    .help =
        "Trains a DGCA-ReLM Chinese spelling corrector.\n"
        "One process:   relmpi-train --data D/train --validation D/validation --model bert-base-chinese "
        "--confusion "
        "confusion.json --out runs/a --epochs 3\n"
        "Many:          mpirun -np 4 relmpi-train ... (one process per GPU)\n"
        "The same command again resumes. SIGUSR1, SIGTERM or Ctrl-C: checkpoint, exit code 75; a second time "
        "ends at once.",
    .options = &add_options,
    .run = &train};

}  // namespace
}  // namespace relmpi

int main(int argc, char** argv) {
  // From the first moment: a request that comes while ranks start is answered after the first step.
  relmpi::watch_signals(/*announce=*/relmpi::detect_launch().rank == 0);
  relmpi::keep_freed_memory();
  return relmpi::Tool(relmpi::kTrain).run(argc, argv);
}
