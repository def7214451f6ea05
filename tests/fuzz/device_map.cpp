// A device map by hand: dist/placement/placement_options.h.

#include "dist/placement/placement_options.h"
#include "model/llm/modules.h"
#include "tests/fuzz/fuzz.h"

namespace relmpi {
namespace {

ModelTree small_model() {
  LlmConfig config;
  config.model_type = "llama";
  config.vocab_size = config.hidden_size = config.intermediate_size = 8;
  config.num_hidden_layers = 3;
  config.num_attention_heads = config.num_key_value_heads = 2;
  config.head_dim = 4;
  config.tie_word_embeddings = true;
  return decoder_tree(config, 2);
}

}  // namespace
}  // namespace relmpi

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relmpi;
  static const ModelTree tree = small_model();
  static const MemoryLimits limits{{Place::gpu(0), 1000}, {Place::gpu(1), 1000}, {Place::cpu(), 1000}};
  static fuzz::ScratchFile file("map.json");
  file.fill(fuzz::text_of(data, size));
  const PlacementChoice choice{file.path(), "--device-map map.json"};
  const auto plan = fuzz::accepted("map.json", [&] { return make_plan(tree, limits, choice); });
  if (!plan) return 0;
  for (const auto& [name, tensor] : tensors_of(tree)) {
    const Place* place = plan->map.find(name);
    if (tensor->kind != TensorKind::kTransientBuffer) RELMPI_CHECK(place != nullptr, "{} is nowhere", name);
    RELMPI_CHECK(place == nullptr || !place->is_gpu() || limits.contains(*place), "{} is on no GPU", name);
  }
  std::int64_t sum = 0;
  for (const auto& [place, bytes] : bytes_by_place(tree, plan->map)) sum += bytes;
  // The tied table is there once or twice, the rotary frequencies once or not at all.
  const std::int64_t all = model_bytes(tree), table = 8 * 8 * 2, rotary = 2 * 2;
  RELMPI_CHECK(sum == all || sum == all + table || sum == all - rotary || sum == all + table - rotary,
               "{} bytes", sum);
  split_layer(tree, plan->map);
  return 0;
}
