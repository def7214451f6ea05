#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "model/model_folder.h"
#include "train/checkpoint_state.h"
#include "train/optimizer.h"

namespace relmpi {

// RUN/checkpoints/step-00000100/{model.safetensors,config.json,vocab.txt,optimizer.safetensors,state.json,COMPLETE}.
// A folder is written under another name, every file fsynced, COMPLETE (each file's XXH3-128) last, then
// renamed: there is a whole checkpoint or none.
void write_checkpoint(const std::filesystem::path& checkpoints, const Model& model,
                      const Optimizer& optimizer, const TrainState& state);

// The newest checkpoint whose files all have the hashes that COMPLETE says; damaged ones are passed over with
// a warning.
std::optional<std::filesystem::path> newest_checkpoint(const std::filesystem::path& checkpoints);

// Reads weights, moments and state back. Throws InputError naming file and tensor where they do not fit the
// model.
TrainState read_checkpoint(const std::filesystem::path& folder, Model& model, Optimizer& optimizer);

// Removes all but the last `keep_last` and the `keep_best` with the highest metric. COMPLETE goes first.
void prune_checkpoints(const std::filesystem::path& checkpoints, const TrainState& state,
                       std::size_t keep_last = 2, std::size_t keep_best = 3);

// Writes a model folder under another name and swaps it in.
void write_model_folder(const std::filesystem::path& folder, const Model& model);

}  // namespace relmpi
