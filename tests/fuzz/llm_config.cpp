// config.json of a decoder LLM, and what is computed from it before any weight is read: model/llm/.

#include "model/llm/config.h"
#include "model/llm/memory_need.h"
#include "model/llm/modules.h"
#include "tests/fuzz/fuzz.h"

namespace relmpi {
namespace {

void check_shape(const LlmConfig& c) {
  RELMPI_CHECK(c.num_attention_heads > 0 && c.num_key_value_heads > 0 && c.num_hidden_layers > 0);
  RELMPI_CHECK(c.num_attention_heads % c.num_key_value_heads == 0 && c.head_dim > 0 && c.head_dim % 2 == 0);
  RELMPI_CHECK(c.qkv_rows() > 0 && c.vocab_size > 0 && c.hidden_size > 0 && c.max_position_embeddings > 0);
  for (const std::int64_t id : c.eos_token_ids) RELMPI_CHECK(id >= 0);
}

// A tree of few layers: a mutant may ask for thousands.
void check_tree(const LlmConfig& config) {
  if (config.num_hidden_layers > 8) return;
  fuzz::accepted("tree", [&] {
    const ModelTree tree = decoder_tree(config, 2);
    RELMPI_CHECK(model_bytes(tree) > 0);
    const DeviceMap map = infer_device_map(tree, {{Place::gpu(0), 1 << 16}, {Place::cpu(), 1 << 20}});
    check_device_map(tree, map, "the planner");
    return map;
  });
}

}  // namespace
}  // namespace relmpi

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relmpi;
  static fuzz::ScratchFile file("config.json");
  file.fill(fuzz::text_of(data, size));
  const auto config = fuzz::accepted("config.json", [&] { return load_llm_config(file.path()); });
  if (!config) return 0;
  check_shape(*config);
  check_tree(*config);
  fuzz::accepted("need",
                 [&] { return memory_need(*config, 2, 1, config->max_position_embeddings).activations; });
  return 0;
}
