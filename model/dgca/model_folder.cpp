#include "model/dgca/model_folder.h"

#include <ATen/ATen.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "model/dgca/initialise.h"
#include "model/model_path.h"
#include "model/safetensors.h"

namespace relmpi {
namespace {

constexpr const char* kCandidates = "dgca.candidates";

// Older BERT files call LayerNorm's weight and bias gamma and beta.
std::string modern_name(const std::string& name) {
  const auto replaced = [&](const std::string& tail, const std::string& with) {
    return name.substr(0, name.size() - tail.size()) + with;
  };
  if (name.ends_with("LayerNorm.gamma")) return replaced("gamma", "weight");
  if (name.ends_with("LayerNorm.beta")) return replaced("beta", "bias");
  if (name == "cls.predictions.decoder.bias") return "cls.predictions.bias";
  return name;
}

std::map<std::string, at::Tensor> read_weights(const std::filesystem::path& folder) {
  const auto file = folder / "model.safetensors";
  if (!std::filesystem::exists(file))
    throw InputError("{} has no model.safetensors: is it a model folder?", folder.string());
  std::map<std::string, at::Tensor> tensors;
  for (auto& [name, tensor] : read_safetensors(file)) tensors.emplace(modern_name(name), tensor);
  return tensors;
}

CandidateTable take_candidates(std::map<std::string, at::Tensor>& tensors, const ModelConfig& config,
                               const std::string& file) {
  const auto found = tensors.find(kCandidates);
  if (found == tensors.end()) return {};
  const at::Tensor table = found->second;
  tensors.erase(found);
  if (table.dim() != 2 || table.scalar_type() != at::kInt || table.size(0) != config.vocab_size ||
      table.size(1) < 1)
    throw InputError("{}: tensor {} must be int32 with {} rows", file, kCandidates, config.vocab_size);
  CandidateTable out;
  out.vocabulary_size = static_cast<std::int32_t>(table.size(0));
  out.width = static_cast<std::int32_t>(table.size(1));
  out.ids.assign(table.data_ptr<std::int32_t>(), table.data_ptr<std::int32_t>() + table.numel());
  for (const std::int32_t id : out.ids)
    if (id < -1 || id >= config.vocab_size)
      throw InputError("{}: tensor {} names the token {}, but the vocabulary has {}", file, kCandidates, id,
                       config.vocab_size);
  return out;
}

at::Tensor as_tensor(const CandidateTable& table) {
  at::Tensor tensor = at::empty({table.vocabulary_size, table.width}, at::kInt);
  std::memcpy(tensor.data_ptr(), table.ids.data(), table.ids.size() * sizeof(std::int32_t));
  return tensor;
}

}  // namespace

at::Tensor Model::candidate_table() const {
  if (candidates.width == 0) return {};
  return as_tensor(candidates).to(parameters->device());
}

Model load_model(const std::filesystem::path& folder, at::Device device, bool allow_plain_bert,
                 std::uint64_t seed, const std::function<void(ModelConfig&)>& adjust) {
  demand_model_folder(folder);
  Model model;
  model.config = load_config(folder / "config.json");
  if (adjust) adjust(model.config);
  model.config.validate();
  model.vocabulary = std::make_shared<Vocabulary>(Vocabulary::load(folder / "vocab.txt"));
  if (model.vocabulary->size() > model.config.vocab_size)
    throw InputError(
        "{}: vocab.txt has {} tokens, config.json says vocab_size {}: they do not belong together",
        folder.string(), model.vocabulary->size(), model.config.vocab_size);
  auto tensors = read_weights(folder);
  const std::string file = (folder / "model.safetensors").string();
  model.candidates = take_candidates(tensors, model.config, file);
  model.parameters = std::make_shared<Parameters>(parameter_specs(model.config), device);
  const bool ours = tensors.contains("dgca.detector.dense.weight") ||
                    tensors.contains("dgca.candidate.dense.weight") ||
                    tensors.contains("dgca.prompt.embeddings.weight");
  if (allow_plain_bert) initialise(*model.parameters, model.config, {.seed = seed});
  const auto unused = model.parameters->load(tensors, file, [&](const std::string& name) {
    return allow_plain_bert && !ours && name.starts_with("dgca.");
  });
  for (const std::string& name : unused) spdlog::debug("{}: tensor {} is not used", file, name);
  if (!allow_plain_bert && model.config.has_candidates() && model.candidates.width == 0)
    throw InputError("{} lacks the tensor {}: the model was not trained with candidates", file, kCandidates);
  return model;
}

void save_model(const std::filesystem::path& folder, const Model& model, const at::Tensor& weights) {
  auto tensors = model.parameters->named_views(weights.defined() ? weights : model.parameters->flat());
  if (model.candidates.width > 0) tensors.emplace_back(kCandidates, as_tensor(model.candidates));
  write_safetensors(folder / "model.safetensors", tensors);
  write_file_atomic(folder / "vocab.txt", model.vocabulary->bytes());
  write_file_atomic(folder / "config.json", to_json(model.config).dump(2) + "\n");
}

}  // namespace relmpi
