#include "model/llm/memory_need.h"

#include <algorithm>

#include "base/error.h"
#include "base/units.h"
#include "dist/placement/module_sizes.h"
#include "dist/placement/placement_options.h"
#include "model/llm/modules.h"

namespace relmpi {

MemoryNeed memory_need(const LlmConfig& config, int value_bytes, std::int64_t batch, std::int64_t length) {
  demand(batch >= 1, "--batch", batch, "at least 1");
  demand(length >= 1, "--length", length, "at least 1");
  const std::int64_t head_values = config.head_dim;
  const std::int64_t queries = config.num_attention_heads * head_values;
  const std::int64_t keys = config.num_key_value_heads * head_values;
  const std::int64_t norm = 2 * config.hidden_size * 4;
  const std::int64_t attention = (3 * queries + 3 * keys) * value_bytes;
  const std::int64_t mlp = 3 * config.intermediate_size * value_bytes;
  const std::int64_t layer = 2 * config.hidden_size * value_bytes + std::max({norm, attention, mlp});
  const std::int64_t cache = 2 * keys * value_bytes;
  const std::int64_t logits = config.vocab_size * (value_bytes + 4);
  const double tokens = static_cast<double>(batch) * static_cast<double>(length);
  if (tokens * static_cast<double>(std::max({layer, cache, logits})) > static_cast<double>(kMostModelBytes))
    throw InputError("--batch {} and --length {} need more memory than any machine has", batch, length);
  const std::int64_t kept = cache * batch * length;
  const std::int64_t running = layer * std::max(batch, length) + (batch > 1 ? kept : 0);
  return {.kv_cache_per_layer = kept, .activations = std::max(running, logits * batch)};
}

std::map<Place, std::int64_t> safe_reserve(const ModelTree& tree, const LlmConfig& config,
                                           const MemoryNeed& need, const MemoryLimits& limits) {
  const std::int64_t layer = ModuleSizes(tree).of(decoder_layer_name(0));
  std::map<Place, std::int64_t> reserve;
  for (const auto& [place, limit] : limits) {
    if (!place.is_gpu()) continue;
    const std::int64_t room = std::max<std::int64_t>(0, limit - need.activations);
    const std::int64_t fit = room / (layer + need.kv_cache_per_layer);
    const std::int64_t layers = std::min(config.num_hidden_layers, fit + 1);
    reserve[place] = std::min(limit, need.activations + layers * need.kv_cache_per_layer);
  }
  return reserve;
}

std::map<Place, std::int64_t> reserve_for(const std::string& option, const ModelTree& tree,
                                          const LlmConfig& config, const MemoryNeed& need,
                                          const MemoryLimits& limits) {
  if (option == "auto") return safe_reserve(tree, config, need, limits);
  std::map<Place, std::int64_t> reserve;
  const std::int64_t bytes = parse_bytes(option);
  for (const auto& [place, limit] : limits)
    if (place.is_gpu()) reserve[place] = std::min(bytes, limit);
  return reserve;
}

MemoryLimits without_reserve(const MemoryLimits& limits, const std::map<Place, std::int64_t>& reserve) {
  MemoryLimits out = limits;
  for (const auto& [place, bytes] : reserve)
    if (const auto found = out.find(place); found != out.end())
      found->second = std::max<std::int64_t>(0, found->second - bytes);
  return out;
}

std::map<Place, std::int64_t> layers_by_place(const LlmConfig& config, const DeviceMap& map) {
  std::map<Place, std::int64_t> layers;
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i)
    if (const Place* place = map.find(decoder_layer_name(i))) ++layers[*place];
  return layers;
}

}  // namespace relmpi
