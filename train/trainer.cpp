#include "train/trainer.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>

#include "base/torch_headers.h"
#include "dist/signals.h"
#include "train/debug.h"

namespace relmpi {
namespace {

double metric_of(const OutcomeCounts& counts, const std::string& name) {
  if (name == "precision") return counts.precision();
  if (name == "recall") return counts.recall();
  return name == "f2" ? counts.f2() : counts.f1();
}

}  // namespace

Trainer::Trainer(const TrainOptions& options, Setup setup, Communicator& communicator, RunFolder* folder)
    : options_(options),
      setup_(std::move(setup)),
      communicator_(communicator),
      folder_(folder),
      step_(setup_.model, communicator, options_) {
  const std::int64_t per_epoch =
      (setup_.data->sentences() + options_.global_batch - 1) / options_.global_batch;
  total_steps_ = options_.steps > 0
                     ? options_.steps
                     : static_cast<std::int64_t>(std::ceil(options_.epochs * static_cast<double>(per_epoch)));
  state_.identity = run_identity(options_, setup_, total_steps_);
}

Loader Trainer::make_loader() const {
  LoaderOptions options = loader_options(options_, communicator_, setup_.model.parameters->device());
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
    demand_same_run(saved.identity, identity);
    state_ = std::move(saved);
    checkpointed_ = state_.step;
    if (is_rank_0()) spdlog::info("resuming from {}: {} of {} steps done", name, state_.step, total_steps_);
  }
  if (is_rank_0()) folder_->open_metrics(state_.step);
}

bool Trainer::out_of_patience() const {
  return options_.patience > 0 && state_.evaluations_without_best >= options_.patience;
}

Exit Trainer::run() {
  if (state_.step >= total_steps_ || out_of_patience()) {
    if (is_rank_0())
      spdlog::info("nothing to do: this run ended at step {} of {}", state_.step, total_steps_);
    return Exit::kDone;
  }
  Loader loader = make_loader();
  progress_ = std::make_unique<Progress>("training", total_steps_, is_rank_0());
  logged_at_ = Clock::now();
  logged_step_ = state_.step;
  const auto due = [&](std::int64_t every) { return every > 0 && state_.step % every == 0; };
  while (state_.step < total_steps_) {
    const StepBatches batches = loader.next();
    const double lr =
        options_.lr * schedule_factor(options_.schedule, state_.step, total_steps_, options_.warmup);
    if (options_.mixture_after >= 0)
      setup_.model.config.output =
          state_.step < options_.mixture_after ? Output::kCandidates : Output::kMixture;
    const StepResult result = step_.run(batches, state_.step, lr, stop_signal() != 0);
    ++state_.step;
    state_.epoch = batches.epoch;
    state_.step_in_epoch = batches.step + 1;
    if (state_.step_in_epoch == loader.steps_per_epoch()) {
      ++state_.epoch;
      state_.step_in_epoch = 0;
    }
    sentences_ += result.sentences;
    tokens_ += result.tokens;
    const bool last = state_.step == total_steps_;
    if (due(options_.log_every) || last) log(result, lr, loader);
    if (due(options_.check_replicas) || options_.debug)
      check_replicas(*setup_.model.parameters, communicator_, state_.step);
    const bool evaluation_due = setup_.validation && (due(options_.evaluate_every) || last);
    if (evaluation_due) evaluate();
    if (evaluation_due || due(options_.checkpoint_every) || last) checkpoint();
    if (result.stop > 0) {
      if (checkpointed_ != state_.step) checkpoint();
      progress_->clear();
      if (is_rank_0())
        spdlog::info("stopped on request after step {}: run the same command again to go on", state_.step);
      return Exit::kStopped;
    }
    if (out_of_patience()) {
      progress_->clear();
      if (is_rank_0())
        spdlog::info("{} evaluations without a better {}: training ends at step {} (best: step {})",
                     options_.patience, options_.metric, state_.step, state_.best_step);
      break;
    }
  }
  progress_->clear();
  return Exit::kDone;
}

nlohmann::ordered_json Trainer::summary(Exit exit) const {
  const bool evaluated = state_.best_metric >= 0;
  return {{"status", exit == Exit::kStopped ? "stopped" : "done"},
          {"step", state_.step},
          {"steps", total_steps_},
          {"metric", options_.metric},
          {"best_metric",
           evaluated ? nlohmann::ordered_json(state_.best_metric) : nlohmann::ordered_json(nullptr)},
          {"best_step", state_.best_step},
          {"model", folder_->model().string()}};
}

void Trainer::log(const StepResult& result, double lr, const Loader& loader) {
  at::Tensor sums = result.sums.to(at::kCPU, at::kDouble);
  communicator_.all_reduce_host(sums.data_ptr(), 4, ReduceType::kFloat64);
  const double* sum = sums.const_data_ptr<double>();
  const auto mean = [&](int term, std::int64_t count) {
    return count > 0 ? sum[term] / static_cast<double>(count) : 0.0;
  };
  const LossOptions weights;
  const LossCounts& n = result.counts;
  const double correction = mean(0, n.positions), detection = mean(1, n.characters), rank = mean(2, n.ranked),
               aux = mean(3, n.masked);
  const double loss =
      correction + weights.detection * detection + weights.rank * rank + weights.auxiliary * aux;
  const auto now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - logged_at_).count();
  const auto steps = static_cast<double>(state_.step - logged_step_);
  const double skipped = step_.optimizer().skipped().item<double>();
  const double in_a_row = step_.optimizer().skipped_row().item<double>();
  if (is_rank_0()) {
    folder_->append_metrics({{"step", state_.step},
                             {"epoch", state_.epoch},
                             {"loss", loss},
                             {"correction", correction},
                             {"detection", detection},
                             {"rank", rank},
                             {"aux", aux},
                             {"lr", lr},
                             {"grad_norm", step_.optimizer().grad_norm().item<double>()},
                             {"loss_scale", step_.optimizer().loss_scale().item<double>()},
                             {"samples_per_s", static_cast<double>(sentences_) / seconds},
                             {"tokens_per_s", static_cast<double>(tokens_) / seconds},
                             {"step_ms", 1000 * seconds / steps},
                             {"data_wait_ms", 1000 * (loader.seconds_waited() - data_waited_) / steps},
                             {"comm_wait_ms", 1000 * (step_.seconds_waited() - comm_waited_) / steps},
                             {"skipped_steps", static_cast<std::int64_t>(skipped)}});
    progress_->update(state_.step, fmt::format("loss {:.3f}  {:.0f} samples/s", loss,
                                               static_cast<double>(sentences_) / seconds));
  }
  logged_at_ = now;
  logged_step_ = state_.step;
  sentences_ = tokens_ = 0;
  data_waited_ = loader.seconds_waited();
  comm_waited_ = step_.seconds_waited();
  if (in_a_row >= static_cast<double>(options_.max_skipped))
    throw RuntimeError(
        "{} steps in a row had gradients that are not finite, up to step {}: the loss diverged. Lower --lr "
        "or raise --warmup, or look at the data; --debug names the first bad tensor",
        in_a_row, state_.step);
}

void Trainer::evaluate() {
  const auto begin = Clock::now();
  const Predictor predictor(setup_.model, dtype_of(options_.precision));
  const Corrector corrector(predictor);
  const Evaluation result = relmpi::evaluate(
      corrector, *setup_.validation, setup_.model.config.thresholds, communicator_,
      {.batch = 32, .losses = true, .tune = options_.tune, .limit = options_.evaluate_limit});
  setup_.model.config.thresholds = result.thresholds;
  const OutcomeCounts& counts = result.metrics.correction;
  const double metric = metric_of(counts, options_.metric);
  state_.metrics[std::to_string(state_.step)] = metric;
  const bool best = metric > state_.best_metric;
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
    if (best) write_model_folder(folder_->model(), setup_.model);
  }
  logged_at_ += Clock::now() - begin;  // speed is that of steps
}

void Trainer::checkpoint() {
  const auto begin = Clock::now();
  if (is_rank_0()) {
    write_checkpoint(folder_->checkpoints(), setup_.model, step_.optimizer(), state_);
    prune_checkpoints(folder_->checkpoints(), state_);
    if (!setup_.validation) write_model_folder(folder_->model(), setup_.model);
  }
  communicator_.barrier();
  checkpointed_ = state_.step;
  logged_at_ += Clock::now() - begin;
}

}  // namespace relmpi
