// model.safetensors.index.json beside two shards: model/llm/weight_files.h.

#include <ATen/ATen.h>

#include "model/llm/weight_files.h"
#include "model/safetensors.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relmpi;
  static fuzz::ScratchFile index("model.safetensors.index.json");
  static const bool shards = [] {
    write_safetensors(index.folder() / "one.safetensors", {{"a", at::ones({2})}});
    write_safetensors(index.folder() / "two.safetensors", {{"b", at::ones({4})}});
    return true;
  }();
  RELMPI_CHECK(shards);
  index.fill(fuzz::text_of(data, size));
  const auto tensors = fuzz::accepted("index", [] { return map_weight_files(index.folder()); });
  if (!tensors) return 0;
  RELMPI_CHECK(!tensors->empty() && tensors->size() <= 2);
  for (const auto& [name, tensor] : *tensors)
    RELMPI_CHECK(tensor.numel() == (name == "a" ? 2 : 4) && tensor.sum().item<double>() > 0, "{}", name);
  return 0;
}
