#include "model/model_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/json_fields.h"

namespace relmpi {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string first_bytes(const fs::path& file, std::size_t count) {
  std::string bytes(count, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(bytes.data(), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  return bytes;
}

bool is_gguf(const fs::path& file) { return first_bytes(file, 4) == "GGUF"; }

bool is_lfs_pointer(const fs::path& file) {
  constexpr std::string_view kBegin = "version https://git-lfs.github.com/spec/";
  return first_bytes(file, kBegin.size()) == kBegin;
}

// The first file of the folder, by name, for which `wanted` holds.
template <typename Wanted>
std::optional<fs::path> find_file(const fs::path& folder, const Wanted& wanted) {
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && wanted(entry.path())) files.insert(entry.path());
  return files.empty() ? std::nullopt : std::optional(*files.begin());
}

// "Qwen/Qwen3-0.6B".
bool looks_like_hub_name(const std::string& text) {
  const auto slash = text.find('/');
  const auto is_part = [](std::string_view part) {
    return !part.empty() && part[0] != '.' && part[0] != '~' &&
           std::ranges::all_of(part, [](unsigned char c) {
             return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
           });
  };
  return slash != std::string::npos && is_part(std::string_view(text).substr(0, slash)) &&
         is_part(std::string_view(text).substr(slash + 1));
}

[[noreturn]] void refuse_missing(const std::string& path) {
  if (looks_like_hub_name(path))
    throw InputError(
        "there is no folder {}. If that is a model's name on the Hugging Face hub, download it first: hf "
        "download {} --local-dir models/{} (hf comes with pip install huggingface_hub), and give that folder",
        path, path, path.substr(path.find('/') + 1));
  throw InputError("there is no folder {}", path);
}

[[noreturn]] void refuse_gguf(const fs::path& file) {
  throw InputError(
      "{} is a GGUF file, which relmpi does not read; take the model's folder with safetensors from the hub, "
      "or write one with transformers: AutoModelForCausalLM.from_pretrained(folder, "
      "gguf_file=name).save_pretrained(out), and the tokenizer likewise",
      file.string());
}

[[noreturn]] void refuse_file(const fs::path& file) {
  if (is_gguf(file)) refuse_gguf(file);
  throw InputError("{} is a file; give the folder that holds config.json, the tokenizer and the weights",
                   file.string());
}

// The hub's cache: models--Org--Name with refs/ and snapshots/COMMIT.
void refuse_cache_root(const fs::path& folder) {
  if (fs::exists(folder / "config.json") || !fs::is_directory(folder / "snapshots")) return;
  fs::path snapshot;
  if (fs::is_regular_file(folder / "refs/main")) {
    std::string commit = read_file(folder / "refs/main");
    commit.erase(commit.find_last_not_of(" \r\n") + 1);
    snapshot = folder / "snapshots" / commit;
  }
  if (!fs::is_directory(snapshot))
    for (const auto& entry : fs::directory_iterator(folder / "snapshots")) snapshot = entry.path();
  throw InputError(
      "{} is a model's root in the hub's cache; give the snapshot in it{}", folder.string(),
      snapshot.empty() ? ", of which there is none: download it again" : ": " + snapshot.string());
}

void refuse_pointers(const fs::path& folder) {
  if (const auto file = find_file(folder, is_lfs_pointer))
    throw InputError(
        "{} is a Git LFS pointer of some hundred bytes, not the file itself: git lfs install && git lfs pull "
        "in that folder, or download it with hf download",
        file->string());
}

void refuse_adapter(const fs::path& folder) {
  const fs::path file = folder / "adapter_config.json";
  if (!fs::exists(file) || fs::exists(folder / "config.json")) return;
  const json document = parse_json(read_file(file), file.string());
  std::string base = "its base model";
  JsonFields(document, file.string()).read("base_model_name_or_path", base);
  throw InputError(
      "{} holds an adapter (LoRA) for {}, not a model; merge the two first, with peft: "
      "AutoPeftModelForCausalLM.from_pretrained(folder).merge_and_unload().save_pretrained(out), and copy "
      "the tokenizer's files to out",
      folder.string(), base);
}

void demand_config(const fs::path& folder) {
  if (fs::exists(folder / "config.json")) return;
  if (const auto file = find_file(folder, is_gguf)) refuse_gguf(*file);
  if (fs::exists(folder / "params.json"))
    throw InputError(
        "{} holds Meta's own files (params.json); take the model's folder in Hugging Face's form, with "
        "config.json and safetensors",
        folder.string());
  throw InputError("there is no {}: is {} a model folder?", (folder / "config.json").string(),
                   folder.string());
}

void refuse_quantised(const fs::path& folder) {
  const fs::path file = folder / "config.json";
  const json document = parse_json(read_file(file), file.string());
  if (!document.is_object()) return;  // whoever reads it says so
  const bool mlx = document.contains("quantization") && !document.contains("quantization_config");
  if (mlx || fs::exists(folder / "quantize_config.json"))
    throw InputError(
        "{}: the weights are quantised ({}), which is not built; take the fp32, bf16 or fp16 model that they "
        "were made from",
        folder.string(),
        mlx ? "by MLX: config.json has \"quantization\"" : "by GPTQ: there is a quantize_config.json");
}

// All that are missing at once, so that one download is enough.
void demand_shards(const fs::path& folder) {
  const fs::path index = folder / "model.safetensors.index.json";
  if (fs::exists(folder / "model.safetensors") || !fs::exists(index)) return;
  const json document = parse_json(read_file(index), index.string());
  const JsonFields fields(document, index.string());
  std::set<std::string> missing;
  for (const auto& [tensor, shard] : fields.object("weight_map").items())
    if (shard.is_string() && !fs::exists(folder / shard.get<std::string>()))
      missing.insert(shard.get<std::string>());
  if (!missing.empty())
    throw InputError("{} lacks {} of the weights' files that {} names: {}; download them too",
                     folder.string(), missing.size(), index.filename().string(), fmt::join(missing, ", "));
}

void refuse_pickles(const fs::path& folder) {
  if (fs::exists(folder / "model.safetensors") || fs::exists(folder / "model.safetensors.index.json")) return;
  if (fs::exists(folder / "pytorch_model.bin") || fs::exists(folder / "pytorch_model.bin.index.json"))
    throw InputError(
        "{} holds pytorch_model.bin, a Python pickle, which relmpi does not open; save it again from "
        "transformers with model.save_pretrained(folder, safe_serialization=True)",
        folder.string());
}

}  // namespace

void demand_model_folder(const fs::path& path) {
  if (!fs::exists(path)) refuse_missing(path.string());
  if (!fs::is_directory(path)) refuse_file(path);
  refuse_cache_root(path);
  refuse_pointers(path);
  refuse_adapter(path);
  demand_config(path);
  refuse_quantised(path);
  demand_shards(path);
  refuse_pickles(path);
}

}  // namespace relmpi
