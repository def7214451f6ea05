#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/progress.h"
#include "dist/ranks/communicator.h"
#include "eval/csc/evaluate.h"
#include "train/checkpoint/checkpoint_writer.h"
#include "train/options.h"
#include "train/recent_batches.h"
#include "train/run_folder.h"
#include "train/run_setup.h"
#include "train/step.h"

namespace relmpi {

// The training loop: steps, log, evaluations, checkpoints, early stopping, resume.
class Trainer {
 public:
  Trainer(const TrainOptions& options, Setup setup, Communicator& communicator, RunFolder* folder);

  // Goes on from the newest checkpoint in the run's folder, or starts. Throws InputError if the run in the
  // folder is another one, before anything is written to it. To be called before run().
  void resume();

  // Exit::kDone when all steps are done or patience is spent, Exit::kStopped when a signal asked to stop and
  // a checkpoint was written.
  Exit run();

  // Where the run stands, for --json: {"status","step","steps","best_step","best_metric","metric","model"}.
  nlohmann::ordered_json summary(Exit exit) const;

 private:
  using Clock = std::chrono::steady_clock;

  void adopt(TrainState saved, const nlohmann::json& identity);
  bool out_of_patience() const;
  bool finished() const;
  bool due(std::int64_t every) const;  // after the present step; the last one is always due
  std::int64_t checkpoints_to_come() const;
  Loader make_loader() const;
  bool train_one(Loader& loader);
  void log(const StepResult& result, double lr, const Loader& loader);
  void report_bad_batches(std::int64_t skipped);
  void report_scaling(double step_seconds, double waiting_seconds);
  bool evaluate(bool& best);  // false: interrupted
  bool evaluate_and_save();
  void save(Saved what);
  void report_end(bool stopping) const;
  std::int64_t bucket_bytes() const;
  bool is_rank_0() const { return communicator_.rank() == 0; }

  const TrainOptions options_;
  Setup setup_;
  Communicator& communicator_;
  RunFolder* folder_;  // rank 0 writes; every rank may read
  TrainStep step_;
  std::int64_t total_steps_ = 0;
  TrainState state_;
  std::int64_t checkpointed_ = -1;            // step of the newest checkpoint
  std::unique_ptr<CheckpointWriter> writer_;  // rank 0's

  // since the last log line
  Clock::time_point logged_at_;
  std::int64_t logged_step_ = 0, sentences_ = 0, tokens_ = 0;
  double data_waited_ = 0, comm_waited_ = 0;
  RecentBatches recent_;
  std::int64_t skipped_ = 0;  // steps, at the last log line

  Clock::time_point started_at_;
  std::int64_t started_step_ = 0;
  double bucket_seconds_ = 0;  // all-reduce of one bucket, before the first step
  bool scaling_reported_ = false;
  std::unique_ptr<Progress> progress_;
};

}  // namespace relmpi
