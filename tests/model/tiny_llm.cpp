#include "tests/model/tiny_llm.h"

#include <unistd.h>

#include "base/files.h"
#include "base/torch_headers.h"
#include "model/llm/random_llm.h"
#include "model/safetensors.h"
#include "tests/data/tokenizer_testing.h"

namespace relmpi {

TinyLlm::TinyLlm(const std::string& family, bool tied, std::int64_t layers) {
  static int number = 0;
  folder_ =
      std::filesystem::temp_directory_path() / fmt::format("relmpi-tiny-llm-{}-{}", ::getpid(), ++number);
  create_folder(folder_);
  RandomLlm random = random_llm(family, tied, layers);
  config = std::move(random.config);
  tensors = std::move(random.tensors);
  tokenizer = small_tokenizer();
  tokenizer["added_tokens"].push_back(added_token(256, "<|end|>"));
  save();
}

TinyLlm::~TinyLlm() { std::filesystem::remove_all(folder_); }

void TinyLlm::save_texts() const {
  write_file_atomic(folder_ / "config.json", config.dump());
  write_file_atomic(folder_ / "tokenizer.json", tokenizer.dump());
}

void TinyLlm::save() const {
  save_texts();
  write_safetensors(folder_ / "model.safetensors", tensors);
}

void TinyLlm::save_sharded() const {
  save_texts();
  std::filesystem::remove(folder_ / "model.safetensors");
  nlohmann::json index;
  NamedTensors halves[2];
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    halves[i % 2].push_back(tensors[i]);
    index["weight_map"][tensors[i].first] = fmt::format("model-{}.safetensors", i % 2);
  }
  for (std::size_t half = 0; half < 2; ++half)
    write_safetensors(folder_ / fmt::format("model-{}.safetensors", half), halves[half]);
  write_file_atomic(folder_ / "model.safetensors.index.json", index.dump());
}

LlmPlaces dealt_places(const LlmConfig& config, std::size_t slots) {
  LlmPlaces places = one_place(config, at::kCPU);
  places.devices.assign(slots, at::kCPU);
  for (std::size_t i = 0; i < places.layers.size(); ++i) places.layers[i] = i % slots;
  places.head = slots - 1;
  return places;
}

Decoder TinyLlm::decoder(at::ScalarType dtype, std::size_t slots) const {
  const LlmConfig read = load_llm_config(folder_ / "config.json");
  return {folder_, read, dtype, dealt_places(read, slots)};
}

Llm TinyLlm::open(const std::string& dtype) const {
  LlmPlacement where;
  where.dtype = dtype;
  return load(where, {{Place::cpu(), std::int64_t{1} << 30}});
}

Llm TinyLlm::load(const LlmPlacement& where, const MemoryLimits& free, std::int64_t batch) const {
  LlmFolder read = open_llm_folder(folder_);
  LlmPlan plan = plan_llm(read.config, where, {batch, 10}, free);
  return load_llm(std::move(read), std::move(plan));
}

}  // namespace relmpi
