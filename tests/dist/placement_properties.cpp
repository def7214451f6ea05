// What holds of every plan, whatever the model and the memory: rapidcheck draws them, and makes a
// counterexample small. placement_parity.py compares the plans themselves with Accelerate's.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "dist/placement/placement.h"
#include "model/llm/memory_need.h"
#include "model/llm/modules.h"

namespace relmpi {
namespace {

// The same cases each time; RC_PARAMS chooses others.
[[maybe_unused]] const int kParameters = ::setenv("RC_PARAMS", "seed=7 max_success=1000", /*overwrite=*/0);

std::int64_t number(std::int64_t first, std::int64_t last) {
  return *rc::gen::inRange<std::int64_t>(first, last + 1);
}

LlmConfig any_config() {
  LlmConfig config;
  config.model_type = *rc::gen::element<std::string>("llama", "qwen2", "qwen3");
  config.vocab_size = number(1, 500);
  config.hidden_size = number(1, 64);
  config.intermediate_size = number(1, 128);
  config.num_hidden_layers = number(1, 20);
  config.num_key_value_heads = number(1, 3);
  config.num_attention_heads = config.num_key_value_heads * number(1, 3);
  config.head_dim = 2 * number(1, 8);
  config.tie_word_embeddings = *rc::gen::arbitrary<bool>();
  config.qk_norm = config.model_type == "qwen3";
  return config;
}

// Up to 5 GPUs and the host, with room for nothing, for a part of the model or for all of it.
MemoryLimits any_limits(std::int64_t model) {
  MemoryLimits limits;
  const std::int64_t gpus = number(0, 5), most = number(0, 2) * model / std::max<std::int64_t>(1, gpus);
  for (int i = 0; i < gpus; ++i) limits[Place::gpu(i)] = number(0, std::max<std::int64_t>(1, most));
  if (*rc::gen::arbitrary<bool>()) limits[Place::cpu()] = number(0, model);
  return limits;
}

Strategy any_strategy() {
  return *rc::gen::element(Strategy::kBalanced, Strategy::kBalancedLowZero, Strategy::kSequential);
}

RC_GTEST_PROP(Placement, GivesEachTensorOnePlaceAndNoPlaceTooMuch, ()) {
  const ModelTree tree = decoder_tree(any_config(), 2);
  const MemoryLimits given = any_limits(model_bytes(tree));
  const MemoryLimits limits = balanced_limits(tree, given, any_strategy());
  const DeviceMap map = infer_device_map(tree, limits);
  for (const auto& [name, tensor] : tensors_of(tree)) {
    int entries = 0;
    for (const auto& [prefix, place] : map.entries)
      entries += prefix.empty() || (name + ".").starts_with(prefix + ".");
    RC_ASSERT(entries == 1);
  }
  std::int64_t sum = 0;
  for (const auto& [place, bytes] : bytes_by_place(tree, map)) {
    sum += bytes;
    if (place == Place::disk()) continue;
    RC_ASSERT(bytes <= limits.at(place));
    RC_ASSERT(limits.at(place) <= given.at(place));
  }
  RC_ASSERT(sum == model_bytes(tree));
  RC_ASSERT(split_layer(tree, map).empty());
  RC_ASSERT(in_module_order(tree, map).entries == map.entries);
  check_device_map(tree, map, "the plan");
}

RC_GTEST_PROP(Placement, MergesWhatSharesAPlace, ()) {
  const ModelTree tree = decoder_tree(any_config(), 2);
  const DeviceMap map =
      infer_device_map(tree, balanced_limits(tree, any_limits(model_bytes(tree)), any_strategy()));
  std::map<std::string, std::pair<std::size_t, std::set<Place>>>
      groups;  // entries and places below each prefix
  for (const auto& [prefix, place] : map.entries)
    for (std::size_t dot = prefix.find('.'); dot != std::string::npos; dot = prefix.find('.', dot + 1)) {
      auto& [count, places] = groups[prefix.substr(0, dot)];
      ++count;
      places.insert(place);
    }
  for (const auto& [prefix, group] : groups) RC_ASSERT(group.first == 1 || group.second.size() > 1);
}

RC_GTEST_PROP(Placement, ReserveLeavesRoomForCacheAndActivations, ()) {
  const LlmConfig config = any_config();
  const ModelTree tree = decoder_tree(config, 2);
  const MemoryNeed need = memory_need(config, 2, number(1, 4), number(1, 50));
  const MemoryLimits given = any_limits(3 * model_bytes(tree));
  const MemoryLimits left = without_reserve(given, safe_reserve(tree, config, need, given));
  const DeviceMap map = infer_device_map(tree, balanced_limits(tree, left, any_strategy()));
  const auto layers = layers_by_place(config, map);
  for (const auto& [place, weights] : bytes_by_place(tree, map)) {
    if (!place.is_gpu() || weights == 0) continue;
    const auto count = layers.find(place);
    const std::int64_t cache = count == layers.end() ? 0 : count->second * need.kv_cache_per_layer;
    RC_ASSERT(weights + cache + need.activations <= given.at(place));
  }
}

}  // namespace
}  // namespace relmpi
