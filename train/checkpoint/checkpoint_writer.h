#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

#include "train/checkpoint/checkpoint.h"

namespace relmpi {

struct KeptCheckpoints {
  std::size_t last = 2;
  std::size_t best = 3;  // besides those
};

// What goes to disk after a step.
struct Saved {
  bool checkpoint = false;
  bool best_model = false;  // RUN/model
};

// Writes checkpoints and the best model on a thread of its own, from a copy in memory, one after the other.
// Steps stand still while the copy is made, and while a write before it has not ended.
class CheckpointWriter {
 public:
  // Removes what a killed run left half-written.
  CheckpointWriter(std::filesystem::path checkpoints, std::filesystem::path model, KeptCheckpoints kept);
  // Waits for the write in progress, at most a minute: a disk that hangs must not keep a failed job alive.
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  void write(const Model& model, const Optimizer& optimizer, const TrainState& state, Saved what);
  // Throws what a write has failed with since the last call; does not wait.
  void check();
  // Waits until everything is on disk. Throws what a write failed with.
  void finish();
  double seconds_stalled() const;  // in write(), in all

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Throws InputError if the disk of `checkpoints` lacks the room for `more` further checkpoints of this
// model, as far as they are kept, and for RUN/model.
void demand_space(const std::filesystem::path& checkpoints, const Parameters& parameters, std::int64_t more,
                  KeptCheckpoints kept);

}  // namespace relmpi
