// What a trainer tells while it runs: metrics.jsonl, the progress bar, warnings, the last lines.

#include <ATen/ATen.h>

#include "base/torch_headers.h"
#include "train/scaling_report.h"
#include "train/trainer.h"

namespace relmpi {
namespace {

constexpr std::int64_t kWarmSteps = 10;  // the first steps are slow

}  // namespace

void Trainer::log(const StepResult& result, double lr, const Loader& loader) {
  at::Tensor sums = result.sums.to(at::kCPU, at::kDouble);
  communicator_.all_reduce_host(sums.data_ptr(), 4, ReduceType::kFloat64);
  const LossMeans means = loss_means(sums, result.counts);
  const double loss = means.total();
  const auto now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - logged_at_).count();
  const auto steps = static_cast<double>(state_.step - logged_step_);
  const double skipped = step_.optimizer().skipped().item<double>();
  const double in_a_row = step_.optimizer().skipped_row().item<double>();
  if (is_rank_0()) {
    folder_->append_metrics({{"step", state_.step},
                             {"epoch", state_.epoch},
                             {"loss", loss},
                             {"correction", means.correction},
                             {"detection", means.detection},
                             {"rank", means.rank},
                             {"aux", means.auxiliary},
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
  if (communicator_.size() > 1 && !scaling_reported_ && state_.step >= started_step_ + kWarmSteps &&
      logged_step_ >= started_step_ + kWarmSteps / 2)
    report_scaling(seconds / steps, (step_.seconds_waited() - comm_waited_) / steps);
  report_bad_batches(static_cast<std::int64_t>(skipped));
  logged_at_ = now;
  logged_step_ = state_.step;
  sentences_ = tokens_ = 0;
  data_waited_ = loader.seconds_waited();
  comm_waited_ = step_.seconds_waited();
  if (in_a_row >= static_cast<double>(options_.run.max_skipped))
    throw RuntimeError(
        "{} steps in a row had gradients that are not finite, up to step {}: the loss diverged. Lower --lr "
        "or raise --warmup, or look at the data; --debug names the first bad tensor",
        in_a_row, state_.step);
}

// The batches behind steps that were skipped since the last log line. `skipped` is the same on every rank.
void Trainer::report_bad_batches(std::int64_t skipped) {
  if (skipped > skipped_) {
    const auto all = communicator_.gather_bytes(nlohmann::json(recent_.not_finite()).dump());
    for (std::size_t rank = 0; rank < all.size(); ++rank)
      for (const auto& line : nlohmann::json::parse(all[rank]))
        spdlog::warn("the loss was not finite on rank {} at {} (numbers in {}, from 0); the step was skipped",
                     rank, line.get<std::string>(), options_.data.data);
  }
  skipped_ = skipped;
  recent_.clear();
}

void Trainer::report_scaling(double step_seconds, double waiting_seconds) {
  scaling_reported_ = true;
  if (!is_rank_0()) return;
  const std::int64_t bytes = step_.bytes_reduced() / (state_.step - started_step_);
  const ScalingMeasure measure{
      .ranks = communicator_.size(),
      .global_batch = options_.step.global_batch,
      .step_seconds = step_seconds,
      .waiting_seconds = waiting_seconds,
      .reduce_seconds = bucket_seconds_ * static_cast<double>(bytes) / static_cast<double>(bucket_bytes()),
      .bytes = bytes};
  const ScalingEstimate estimate = estimate_scaling(measure);
  progress_->clear();
  const std::string text = describe_scaling(measure, estimate);
  if (estimate.poor())
    spdlog::warn("{}", text);
  else
    spdlog::info("{}", text);
}

void Trainer::report_end(bool stopping) const {
  if (stopping)
    spdlog::info("stopped on request after step {}: run the same command again to go on", state_.step);
  else if (out_of_patience())
    spdlog::info("{} evaluations without a better {}: training ends at step {} (best: step {})",
                 options_.run.patience, name_of(kMetrics, options_.run.metric), state_.step,
                 state_.best_step);
  spdlog::info(
      "checkpoints held the steps up for {:.2f} s, {:.2f} % of the time", writer_->seconds_stalled(),
      100 * writer_->seconds_stalled() / std::chrono::duration<double>(Clock::now() - started_at_).count());
}

nlohmann::ordered_json Trainer::summary(Exit exit) const {
  const bool evaluated = state_.best_metric >= 0;
  return {{"status", exit == Exit::kStopped ? "stopped" : "done"},
          {"step", state_.step},
          {"steps", total_steps_},
          {"metric", name_of(kMetrics, options_.run.metric)},
          {"best_metric",
           evaluated ? nlohmann::ordered_json(state_.best_metric) : nlohmann::ordered_json(nullptr)},
          {"best_step", state_.best_step},
          {"model", folder_->model().string()}};
}

}  // namespace relmpi
