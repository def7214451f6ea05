// relmpi-train: trains a DGCA-ReLM corrector on one process or, under mpirun or srun, on many.

#include <memory>
#include <set>

#include "base/allocator.h"
#include "base/error.h"
#include "base/tool.h"
#include "base/torch_headers.h"
#include "dist/ranks/agreement.h"
#include "dist/ranks/backends.h"
#include "dist/ranks/doctor.h"
#include "dist/ranks/launch.h"
#include "dist/ranks/rank_device.h"
#include "dist/ranks/signals.h"
#include "model/dgca/attention.h"
#include "model/dtype.h"
#include "train/command_line.h"
#include "train/debug.h"
#include "train/trainer.h"

namespace relmpi {
namespace {

// Options that ranks may be given differently. Paths: what they hold is compared later.
const std::set<std::string> kMayDiffer{"device", "threads", "data",      "validation",
                                       "model",  "vocab",   "confusion", "config"};

std::string attention_of(const Model& model, at::ScalarType dtype) {
  const ModelConfig& c = model.config;
  return describe_attention(model.parameters->device(), dtype, c.num_attention_heads,
                            c.hidden_size / c.num_attention_heads, c.max_length,
                            c.attention_probs_dropout_prob);
}

int train(const CLI::App& app, const TrainOptions& options, std::unique_ptr<Communicator>& communicator) {
  options.validate();
  dtype_of(options.precision);
  if (options.debug) start_debugging();
  const CommunicatorOptions limits{.timeout_seconds = options.collective_timeout};
  communicator = make_communicator(limits);
  start_log(communicator->rank(), communicator->size());
  nlohmann::json alike = program_facts();
  alike.update(option_facts(app.config_to_str(true, false), kMayDiffer));
  demand_agreement(*communicator, alike);
  const at::Device device = choose_device(*communicator, options.device);
  const int threads = set_threads(*communicator, options.threads);
  nlohmann::json environment = describe_environment(*communicator, device);
  if (!environment.is_null())
    for (const std::string finding : environment["findings"]) spdlog::warn("{}", finding);
  communicator = communicator_for(std::move(communicator), device, limits);
  const bool first = communicator->rank() == 0;

  if (first && options.fresh) demand_empty(options.out);
  Setup setup = prepare(options, *communicator, device);
  // Only now: a wrong option leaves no folder behind, which --fresh would refuse the next time.
  std::unique_ptr<RunFolder> folder;
  if (first) {
    folder = std::make_unique<RunFolder>(options.out);
    log_to_file(folder->path() / "log.txt");
  }
  if (first)
    spdlog::info("{} sentences, {} characters; {} parameters; {} on {} rank{}, {} thread{} each; backend {}",
                 setup.data->sentences(), setup.data->tokens(), setup.model.parameters->flat().numel(),
                 options.precision, communicator->size(), communicator->size() == 1 ? "" : "s", threads,
                 threads == 1 ? "" : "s", communicator->backend());
  const std::string attention = attention_of(setup.model, dtype_of(options.precision));
  environment["attention"] = attention;
  if (first) spdlog::info("attention: {}", attention);
  Trainer trainer(options, std::move(setup), *communicator, folder.get());
  trainer.resume();
  if (first) folder->write_records(app.config_to_str(true, true), environment);
  const Exit exit = trainer.run();
  if (first && options.json) fmt::print("{}\n", trainer.summary(exit).dump());
  return static_cast<int>(exit);
}

}  // namespace
}  // namespace relmpi

int main(int argc, char** argv) {
  // From the first moment: a request that comes while ranks start is answered after the first step.
  relmpi::watch_signals(/*announce=*/relmpi::detect_launch().rank == 0);
  relmpi::keep_freed_memory();
  CLI::App app(
      "Trains a DGCA-ReLM Chinese spelling corrector.\n"
      "One process:   relmpi-train --data D/train --validation D/validation --model bert-base-chinese "
      "--confusion "
      "confusion.json --out runs/a --epochs 3\n"
      "Many:          mpirun -np 4 relmpi-train ... (one process per GPU)\n"
      "The same command again resumes. SIGUSR1, SIGTERM or Ctrl-C: checkpoint, exit code 75; once more ends "
      "at once.",
      "relmpi-train");
  relmpi::TrainOptions options;
  app.set_config("--config", "", "TOML file with any of these options, such as a run's config.toml");
  app.allow_config_extras(CLI::config_extras_mode::error);  // a misspelt name is not passed over
  relmpi::add_train_options(app, options);
  std::unique_ptr<relmpi::Communicator> communicator;
  return relmpi::run_tool(
      app, argc, argv, [&] { return relmpi::train(app, options, communicator); },
      [&](const std::string&, int code) {
        if (communicator && communicator->size() > 1) communicator->abort(code);
      });
}
