#include "train/checkpoint/checkpoint_writer.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "base/torch_headers.h"

namespace relmpi {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(60);
constexpr double kSmallFiles = 1 << 16;  // bytes: vocabulary, configuration, headers, state

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::string in_words(double bytes) {
  return bytes < 1e9 ? fmt::format("{:.1f} MB", bytes / 1e6) : fmt::format("{:.1f} GB", bytes / 1e9);
}

}  // namespace

struct CheckpointWriter::State {
  fs::path checkpoints, model;
  KeptCheckpoints kept;
  Snapshot snapshot;
  Saved what;

  std::mutex mutex;
  std::condition_variable changed;
  bool busy = false, stopping = false, ended = false;
  std::exception_ptr failure;
  double stalled = 0;

  // The model first: a run that is killed between the two evaluates that step again and writes it again.
  void save() {
    if (what.best_model) write_model_folder(model, snapshot);
    if (!what.checkpoint) return;
    try {
      write_checkpoint(checkpoints, snapshot);
      prune_checkpoints(checkpoints, snapshot.state, kept.last, kept.best);
    } catch (const std::exception& error) {  // of whatever file the moment was
      if (fs::exists(checkpoints)) throw;
      throw RuntimeError("{}. The folder {} has vanished: was it moved, deleted or unmounted?", error.what(),
                         checkpoints.string());
    }
  }

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return busy || stopping; });
      if (!busy) break;
      lock.unlock();
      std::exception_ptr error;
      try {
        save();
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error) failure = error;
      busy = false;
      changed.notify_all();
    }
    ended = true;
    changed.notify_all();
  }

  void rethrow() {
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
  }
};

CheckpointWriter::CheckpointWriter(fs::path checkpoints, fs::path model, KeptCheckpoints kept)
    : state_(std::make_shared<State>()) {
  state_->checkpoints = std::move(checkpoints);
  state_->model = std::move(model);
  state_->kept = kept;
  remove_unfinished(state_->checkpoints);
  std::thread([state = state_] { state->work(); }).detach();
}

CheckpointWriter::~CheckpointWriter() {
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->changed.notify_all();
  state_->changed.wait_for(lock, kPatience, [&] { return state_->ended; });
}

void CheckpointWriter::write(const Model& model, const Optimizer& optimizer, const TrainState& state,
                             Saved what) {
  const auto begin = Clock::now();
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [&] { return !state_->busy; });
  state_->rethrow();
  take_snapshot(state_->snapshot, model, optimizer, state);
  state_->what = what;
  state_->busy = true;
  state_->changed.notify_all();
  state_->stalled += seconds_since(begin);
}

void CheckpointWriter::check() {
  const std::lock_guard lock(state_->mutex);
  state_->rethrow();
}

void CheckpointWriter::finish() {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [&] { return !state_->busy; });
  state_->rethrow();
}

double CheckpointWriter::seconds_stalled() const { return state_->stalled; }

void demand_space(const fs::path& checkpoints, const Parameters& parameters, std::int64_t more,
                  KeptCheckpoints kept) {
  const double weights = static_cast<double>(parameters.flat().nbytes());
  const double checkpoint = 3 * weights + kSmallFiles;
  const auto existing = std::count_if(fs::directory_iterator(checkpoints), fs::directory_iterator(),
                                      [](const auto& entry) { return entry.is_directory(); });
  // A new checkpoint is whole before an old one goes.
  const auto most = static_cast<std::int64_t>(kept.last + kept.best) + 1;
  const double count =
      static_cast<double>(std::max<std::int64_t>(std::min(existing + more, most) - existing, more > 0));
  const double needed =
      count * checkpoint + (fs::exists(checkpoints.parent_path() / "model") ? 1 : 2) * weights;
  const double free = static_cast<double>(fs::space(checkpoints).available);
  if (free >= needed) return;
  throw InputError(
      "{} has {} free, but this run will write {}: {:.0f} more checkpoints of {} (the last {} and the best "
      "{} are kept, and "
      "one more while it is written) and the model. Make room, choose another --out, or keep fewer "
      "(--keep-last, "
      "--keep-best)",
      checkpoints.string(), in_words(free), in_words(needed), count, in_words(checkpoint), kept.last,
      kept.best);
}

}  // namespace relmpi
