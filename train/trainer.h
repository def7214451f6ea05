#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/progress.h"
#include "dist/communicator.h"
#include "eval/evaluate.h"
#include "train/checkpoint.h"
#include "train/options.h"
#include "train/run_folder.h"
#include "train/setup.h"
#include "train/step.h"

namespace relmpi {

// The training loop: steps, log, evaluations, checkpoints, early stopping, resume.
class Trainer {
 public:
  Trainer(const TrainOptions& options, Setup setup, Communicator& communicator, RunFolder* folder);

  // Goes on from the newest checkpoint in the run's folder, or starts. Throws InputError where the run in the
  // folder is another one, before anything is written to it. To be called before run().
  void resume();

  // Exit::kDone when all steps are done or patience is spent, Exit::kStopped when a signal asked to stop and
  // a checkpoint was written.
  Exit run();

  // Where the run stands, for --json: {"status","step","steps","best_step","best_metric","metric","model"}.
  nlohmann::ordered_json summary(Exit exit) const;

 private:
  using Clock = std::chrono::steady_clock;

  bool out_of_patience() const;
  Loader make_loader() const;
  void log(const StepResult& result, double lr, const Loader& loader);
  void evaluate();
  void checkpoint();
  bool is_rank_0() const { return communicator_.rank() == 0; }

  const TrainOptions options_;
  Setup setup_;
  Communicator& communicator_;
  RunFolder* folder_;  // rank 0 writes; every rank may read
  TrainStep step_;
  std::int64_t total_steps_ = 0;
  TrainState state_;
  std::int64_t checkpointed_ = -1;  // step of the newest checkpoint

  // since the last log line
  Clock::time_point logged_at_;
  std::int64_t logged_step_ = 0, sentences_ = 0, tokens_ = 0;
  double data_waited_ = 0, comm_waited_ = 0;
  std::unique_ptr<Progress> progress_;
};

}  // namespace relmpi
