#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "model/dgca/model_folder.h"
#include "train/checkpoint/checkpoint_state.h"
#include "train/optimizer.h"

namespace relmpi {

// Everything a checkpoint holds, in host memory of its own, so that training goes on while it is written.
struct Snapshot {
  Model model;                              // of that moment except for the parameters, which go on changing
  at::Tensor weights, exp_avg, exp_avg_sq;  // flat fp32, in the layout of the parameters
  std::vector<std::pair<std::string, at::Tensor>> scalars;
  TrainState state;
};

// Copies into `snapshot`, whose memory is used again. Waits until the device has done what it was told.
void take_snapshot(Snapshot& snapshot, const Model& model, const Optimizer& optimizer,
                   const TrainState& state);

// RUN/checkpoints/step-00000100/{model.safetensors,config.json,vocab.txt,optimizer.safetensors,state.json,COMPLETE}.
// A folder is written under another name, every file fsynced, COMPLETE (each file's XXH3-128) last, then
// renamed: there is a whole checkpoint or none. Throws RuntimeError if the disk refuses.
// `checkpoints` is not created again if it has vanished: what was unmounted would be written to the disk
// below.
void write_checkpoint(const std::filesystem::path& checkpoints, const Snapshot& snapshot);

// The newest checkpoint whose files all have the hashes that COMPLETE says; damaged ones are skipped with
// a warning.
std::optional<std::filesystem::path> newest_checkpoint(const std::filesystem::path& checkpoints);

// Reads weights, moments and state back. Throws InputError naming file and tensor if they do not fit the
// model.
TrainState read_checkpoint(const std::filesystem::path& folder, Model& model, Optimizer& optimizer);

// Removes all but the last `keep_last` and the `keep_best` with the highest metric. COMPLETE goes first. To
// be called after a checkpoint was written: the newest one is then whole, and it stays.
void prune_checkpoints(const std::filesystem::path& checkpoints, const TrainState& state,
                       std::size_t keep_last = 2, std::size_t keep_best = 3);

// Removes what a killed run left half-written.
void remove_unfinished(const std::filesystem::path& checkpoints);

// Writes a model folder under another name and puts it in the place of the old one.
void write_model_folder(const std::filesystem::path& folder, const Snapshot& snapshot);

}  // namespace relmpi
