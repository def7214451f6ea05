#include "train/checkpoint/checkpoint.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/log.h"
#include "model/safetensors.h"

namespace relmpi {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFiles[] = {"model.safetensors", "config.json", "vocab.txt", "optimizer.safetensors",
                                  "state.json"};

std::string folder_name(std::int64_t step) { return fmt::format("step-{:08}", step); }

bool is_folder_name(const std::string& name) {
  return name.size() > 5 && name.size() < 20 && name.starts_with("step-") &&
         name.find_first_not_of("0123456789", 5) == std::string::npos;
}

std::vector<fs::path> checkpoint_folders(const fs::path& checkpoints) {
  std::vector<fs::path> folders;
  if (fs::is_directory(checkpoints))
    for (const auto& entry : fs::directory_iterator(checkpoints))
      if (entry.is_directory() && is_folder_name(entry.path().filename().string()))
        folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  return folders;
}

// Why the folder is not a whole checkpoint; empty if it is.
std::string damage(const fs::path& folder) {
  if (!fs::exists(folder / "COMPLETE")) return "it has no COMPLETE file (it was not finished)";
  try {
    const fs::path file = folder / "COMPLETE";
    const CompleteMark mark = parse_complete(read_file(file), file.string());
    if (folder.filename() != folder_name(mark.step))
      return fmt::format("COMPLETE was written for step {}: it is damaged, or the folder was renamed",
                         mark.step);
    for (const char* name : kFiles) {
      const auto listed = mark.files.find(name);
      if (listed == mark.files.end()) return fmt::format("COMPLETE does not list {}: it is damaged", name);
      if (xxh3_128_of_file(folder / name) != listed->second)
        return fmt::format("{} is damaged (its hash differs from that in COMPLETE)", name);
    }
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

void remove_checkpoint(const fs::path& folder) {
  fs::remove(folder / "COMPLETE");
  fs::remove_all(folder);
}

void copy_in(const at::Tensor& to, const std::map<std::string, at::Tensor>& tensors, const std::string& name,
             const std::string& file) {
  const auto found = tensors.find(name);
  if (found == tensors.end() || found->second.sizes() != to.sizes())
    throw InputError("{}: tensor {} is missing or has another shape: the checkpoint belongs to another model",
                     file, name);
  to.copy_(found->second);
}

}  // namespace

void take_snapshot(Snapshot& snapshot, const Model& model, const Optimizer& optimizer,
                   const TrainState& state) {
  const at::NoGradGuard no_grad;
  const bool on_gpu = model.parameters->device().is_cuda();
  const auto copy = [&](at::Tensor& to, const at::Tensor& from) {
    if (!to.defined())
      to = at::empty(from.sizes(), at::TensorOptions(from.scalar_type()).pinned_memory(on_gpu));
    to.copy_(from.detach());
  };
  snapshot.model = model;
  copy(snapshot.weights, model.parameters->flat());
  copy(snapshot.exp_avg, optimizer.first_moment());
  copy(snapshot.exp_avg_sq, optimizer.second_moment());
  snapshot.scalars.clear();
  for (const auto& [name, scalar] : optimizer.scalars())
    snapshot.scalars.emplace_back(name, scalar.to(at::kCPU, /*non_blocking=*/false, /*copy=*/true));
  snapshot.state = state;
}

void write_checkpoint(const fs::path& checkpoints, const Snapshot& snapshot) {
  const std::string name = folder_name(snapshot.state.step);
  const fs::path temporary = checkpoints / (".writing-" + name);
  fs::remove_all(temporary);
  std::error_code error;
  if (!fs::create_directory(temporary, error))
    throw RuntimeError("cannot create {}: {}", temporary.string(), error.message());
  try {
    const Parameters& layout = *snapshot.model.parameters;
    save_model(temporary, snapshot.model, snapshot.weights);
    auto tensors = snapshot.scalars;
    for (auto& [tensor, view] : layout.named_views(snapshot.exp_avg))
      tensors.emplace_back("exp_avg." + tensor, view);
    for (auto& [tensor, view] : layout.named_views(snapshot.exp_avg_sq))
      tensors.emplace_back("exp_avg_sq." + tensor, view);
    write_safetensors(temporary / "optimizer.safetensors", tensors);
    write_file_atomic(temporary / "state.json", to_json(snapshot.state).dump(2) + "\n");
    CompleteMark mark{.step = snapshot.state.step};
    for (const char* file : kFiles) mark.files[file] = xxh3_128_of_file(temporary / file);
    write_file_atomic(temporary / "COMPLETE", complete_text(mark));
    replace_folder(temporary, checkpoints / name);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
}

std::optional<fs::path> newest_checkpoint(const fs::path& checkpoints) {
  auto folders = checkpoint_folders(checkpoints);
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
    const std::string why = damage(*folder);
    if (why.empty()) return *folder;
    spdlog::warn("checkpoint {} is passed over: {}", folder->string(), why);
  }
  return std::nullopt;
}

TrainState read_checkpoint(const fs::path& folder, Model& model, Optimizer& optimizer) {
  const std::string file = (folder / "optimizer.safetensors").string();
  auto weights = read_safetensors(folder / "model.safetensors");
  weights.erase(
      "dgca.candidates");  // made from the same confusion set and data again, or read with the model
  model.parameters->load(weights, (folder / "model.safetensors").string());
  model.config.thresholds = load_config(folder / "config.json").thresholds;  // the last evaluation's choice
  const auto tensors = read_safetensors(folder / "optimizer.safetensors");
  const at::NoGradGuard no_grad;
  for (auto& [name, scalar] : optimizer.scalars()) copy_in(scalar, tensors, name, file);
  for (auto& [name, view] : model.parameters->named_views(optimizer.first_moment()))
    copy_in(view, tensors, "exp_avg." + name, file);
  for (auto& [name, view] : model.parameters->named_views(optimizer.second_moment()))
    copy_in(view, tensors, "exp_avg_sq." + name, file);
  return parse_state(read_file(folder / "state.json"), (folder / "state.json").string());
}

void prune_checkpoints(const fs::path& checkpoints, const TrainState& state, std::size_t keep_last,
                       std::size_t keep_best) {
  auto folders = checkpoint_folders(checkpoints);
  std::vector<fs::path> keep(folders.end() - static_cast<std::ptrdiff_t>(std::min(keep_last, folders.size())),
                             folders.end());
  const auto metric = [&](const fs::path& folder) {
    const std::string step = std::to_string(std::stoll(folder.filename().string().substr(5)));
    return state.metrics.contains(step) ? state.metrics[step].get<double>() : -1.0;
  };
  std::vector<fs::path> ranked = folders;
  std::stable_sort(ranked.begin(), ranked.end(),
                   [&](const fs::path& a, const fs::path& b) { return metric(a) > metric(b); });
  for (std::size_t i = 0; i < std::min(keep_best, ranked.size()); ++i)
    if (metric(ranked[i]) >= 0) keep.push_back(ranked[i]);
  for (const fs::path& folder : folders)
    if (std::find(keep.begin(), keep.end(), folder) == keep.end()) remove_checkpoint(folder);
}

void remove_unfinished(const fs::path& checkpoints) {
  for (const auto& entry : fs::directory_iterator(checkpoints))
    if (entry.path().filename().string().starts_with(".writing-")) fs::remove_all(entry.path());
}

void write_model_folder(const fs::path& folder, const Snapshot& snapshot) {
  const fs::path fresh = folder.string() + ".writing";
  fs::remove_all(fresh);
  create_folder(fresh);
  save_model(fresh, snapshot.model, snapshot.weights);
  replace_folder(fresh, folder);
}

}  // namespace relmpi
