#include "train/trainer.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>

#include "base/torch_headers.h"
#include "dist/ranks/agreement.h"
#include "dist/ranks/allreduce_speed.h"
#include "dist/ranks/signals.h"
#include "model/dtype.h"
#include "train/debug.h"
#include "train/identity.h"

namespace relmpi {
namespace {

double metric_of(const OutcomeCounts& counts, Metric metric) {
  if (metric == Metric::kPrecision) return counts.precision();
  if (metric == Metric::kRecall) return counts.recall();
  return metric == Metric::kF2 ? counts.f2() : counts.f1();
}

}  // namespace

Trainer::Trainer(const TrainOptions& options, Setup setup, Communicator& communicator, RunFolder* folder)
    : options_(options),
      setup_(std::move(setup)),
      communicator_(communicator),
      folder_(folder),
      step_(setup_.model, communicator, options_.step) {
  const std::int64_t per_epoch =
      (setup_.data->sentences() + options_.step.global_batch - 1) / options_.step.global_batch;
  total_steps_ =
      options_.run.steps > 0
          ? options_.run.steps
          : static_cast<std::int64_t>(std::ceil(options_.run.epochs * static_cast<double>(per_epoch)));
  state_.identity = run_identity(options_, setup_, total_steps_);
  nlohmann::json alike = state_.identity;
  alike["weights"] = setup_.model.parameters->hash();
  demand_agreement(communicator, alike);
}

std::int64_t Trainer::bucket_bytes() const {
  return options_.step.bucket_bytes > 0 ? options_.step.bucket_bytes : communicator_.bucket_bytes();
}

Loader Trainer::make_loader() const {
  LoaderOptions options = loader_options(options_.data, options_.step, communicator_);
  options.first_epoch = state_.epoch;
  options.first_step = state_.step_in_epoch;
  return {setup_.data, options};
}

void Trainer::resume() {
  std::string name;
  if (is_rank_0())
    if (const auto newest = newest_checkpoint(folder_->checkpoints())) name = newest->string();
  name = communicator_.broadcast_bytes(name);
  if (!name.empty()) {
    const nlohmann::json identity = state_.identity;
    TrainState saved = read_checkpoint(name, setup_.model, step_.optimizer());
    adopt(std::move(saved), identity);
    checkpointed_ = state_.step;
    if (is_rank_0()) spdlog::info("resuming from {}: {} of {} steps done", name, state_.step, total_steps_);
  }
  if (!is_rank_0()) return;
  const KeptCheckpoints kept{.last = options_.run.keep_last, .best = options_.run.keep_best};
  demand_space(folder_->checkpoints(), *setup_.model.parameters, checkpoints_to_come(), kept);
  writer_ = std::make_unique<CheckpointWriter>(folder_->checkpoints(), folder_->model(), kept);
  folder_->open_metrics(state_.step, state_.evaluation_pending);
}

// The saved state goes on with today's identity, and remembers what changed.
void Trainer::adopt(TrainState saved, const nlohmann::json& identity) {
  const nlohmann::json changes = changes_since(saved.identity, identity, options_.run.allow_change);
  state_ = std::move(saved);
  state_.identity = identity;
  for (nlohmann::json change : changes) {
    const std::string name = change["name"];
    if (is_rank_0())
      spdlog::warn("{} changes from {} to {} at step {}", name, change["before"].dump(),
                   change["after"].dump(), state_.step);
    change["step"] = state_.step;
    state_.changes.push_back(change);
    if (name != "metric" && name != "validation") continue;
    // What was best by another measure says nothing now.
    state_.best_metric = -1;
    state_.evaluations_without_best = 0;
    state_.metrics = nlohmann::json::object();
  }
}

bool Trainer::out_of_patience() const {
  return options_.run.patience > 0 && state_.evaluations_without_best >= options_.run.patience;
}

bool Trainer::finished() const { return state_.step >= total_steps_ || out_of_patience(); }

bool Trainer::due(std::int64_t every) const {
  return (every > 0 && state_.step % every == 0) || state_.step == total_steps_;
}

std::int64_t Trainer::checkpoints_to_come() const {
  const std::int64_t steps = total_steps_ - state_.step;
  const auto times = [&](std::int64_t every) { return every > 0 ? steps / every : 0; };
  return (steps > 0 ? 1 : 0) + times(options_.run.checkpoint_every) +
         (setup_.validation ? times(options_.run.evaluate_every) : 0);
}

Exit Trainer::run() {
  if (finished() && !state_.evaluation_pending) {
    if (is_rank_0())
      spdlog::info("nothing to do: this run ended at step {} of {}", state_.step, total_steps_);
    return Exit::kDone;
  }
  Loader loader = make_loader();
  progress_ = std::make_unique<Progress>("training", total_steps_, is_rank_0());
  started_at_ = logged_at_ = Clock::now();
  started_step_ = logged_step_ = state_.step;
  skipped_ = static_cast<std::int64_t>(step_.optimizer().skipped().item<double>());
  if (communicator_.size() > 1)
    bucket_seconds_ = time_all_reduce(communicator_, setup_.model.parameters->device(), bucket_bytes());
  bool stopping = state_.evaluation_pending && !evaluate_and_save();
  while (!stopping && !finished()) stopping = !train_one(loader);
  if (stopping && checkpointed_ != state_.step) save({.checkpoint = true});
  if (writer_) writer_->finish();
  communicator_.barrier();  // no rank ends before the last checkpoint is there
  progress_->clear();
  if (is_rank_0()) report_end(stopping);
  return stopping ? Exit::kStopped : Exit::kDone;
}

// One step and what is due after it. False if a rank was asked to stop.
bool Trainer::train_one(Loader& loader) {
  const StepBatches batches = loader.next();
  const double lr = options_.step.lr *
                    schedule_factor(options_.run.schedule, state_.step, total_steps_, options_.run.warmup);
  if (options_.run.mixture_after >= 0)
    setup_.model.config.output =
        state_.step < options_.run.mixture_after ? Output::kCandidates : Output::kMixture;
  communicator_.at_step(state_.step + 1);
  const StepResult result = step_.run(batches, state_.step, lr, stop_signal() != 0);
  ++state_.step;
  recent_.add(state_.step, batches, result.micro_sums);
  state_.epoch = batches.epoch;
  state_.step_in_epoch = batches.step + 1;
  if (state_.step_in_epoch == loader.steps_per_epoch()) {
    ++state_.epoch;
    state_.step_in_epoch = 0;
  }
  sentences_ += result.sentences;
  tokens_ += result.tokens;
  if (due(options_.run.log_every)) log(result, lr, loader);
  if ((options_.run.check_replicas > 0 && state_.step % options_.run.check_replicas == 0) ||
      options_.step.debug)
    check_replicas(*setup_.model.parameters, communicator_, state_.step);
  if (writer_) writer_->check();
  const bool stopping = result.stop > 0;
  if (setup_.validation && due(options_.run.evaluate_every)) {
    state_.evaluation_pending = true;
    return !stopping && evaluate_and_save();
  }
  if (due(options_.run.checkpoint_every)) save({.checkpoint = true});
  return !stopping;
}

// False if a rank was asked to stop meanwhile: the evaluation is then the first thing when the run goes
// on.
bool Trainer::evaluate_and_save() {
  Saved what{.checkpoint = true};
  if (!evaluate(what.best_model)) return false;
  state_.evaluation_pending = false;
  save(what);
  return true;
}

bool Trainer::evaluate(bool& best) {
  const auto begin = Clock::now();
  const Predictor predictor(setup_.model, dtype_of(options_.step.precision));
  const Corrector corrector(predictor);
  const Evaluation result =
      relmpi::evaluate(corrector, *setup_.validation, setup_.model.config.thresholds, communicator_,
                       {.batch = 32,
                        .losses = true,
                        .tune = options_.run.tune,
                        .limit = options_.run.evaluate_limit,
                        .stoppable = true});
  if (result.interrupted) return false;
  setup_.model.config.thresholds = result.thresholds;
  const OutcomeCounts& counts = result.metrics.correction;
  const double metric = metric_of(counts, options_.run.metric);
  state_.metrics[std::to_string(state_.step)] = metric;
  best = metric > state_.best_metric;
  state_.evaluations_without_best = best ? 0 : state_.evaluations_without_best + 1;
  if (best) {
    state_.best_metric = metric;
    state_.best_step = state_.step;
  }
  if (is_rank_0()) {
    folder_->append_metrics({{"step", state_.step},
                             {"evaluation",
                              {{"loss", result.loss},
                               {"precision", counts.precision()},
                               {"recall", counts.recall()},
                               {"f1", counts.f1()},
                               {"f2", counts.f2()},
                               {"fpr", counts.fpr()},
                               {"wpr", counts.wpr()},
                               {"detection_f1", result.metrics.detection.f1()}}}});
    progress_->clear();
    spdlog::info(
        "step {}: loss {:.4f}, correction P {:.1f} R {:.1f} F1 {:.1f}, detection F1 {:.1f}, on {} sentences "
        "in "
        "{:.1f} s{}",
        state_.step, result.loss, 100 * counts.precision(), 100 * counts.recall(), 100 * counts.f1(),
        100 * result.metrics.detection.f1(), result.metrics.sentences, result.seconds, best ? " (best)" : "");
  }
  logged_at_ += Clock::now() - begin;  // speed is that of steps
  return true;
}

void Trainer::save(Saved what) {
  const auto begin = Clock::now();
  if (!setup_.validation) what.best_model = true;
  if (writer_) writer_->write(setup_.model, step_.optimizer(), state_, what);
  checkpointed_ = state_.step;
  logged_at_ += Clock::now() - begin;
}

}  // namespace relmpi
