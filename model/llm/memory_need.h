#pragma once

#include <cstdint>
#include <map>

#include "dist/placement/placement.h"
#include "model/llm/config.h"

namespace relmpi {

// Bytes beside the weights that a decoder needs to continue `batch` texts up to `length` tokens each, prompt
// and answer together. Prompts run one after the other, answers in common. An estimate: it leaves out what
// the libraries take for themselves (a CUDA context, workspaces) and what the allocator cannot use for being
// in pieces.
struct MemoryNeed {
  // Of one layer, on the device that the layer is on: keys and values,
  // 2 * num_key_value_heads * head_dim * length * batch values.
  std::int64_t kv_cache_per_layer = 0;
  // On each device that computes, the most that is alive at once while a prompt (taken to be all of `length`)
  // or the last token of each text runs through a layer: the hidden state and its norm, and the largest of
  //   the norm:       two copies of the hidden state in fp32
  //   the attention:  q, k, v, rotated q and k, and the output; no matrix of scores (a fused kernel)
  //   the MLP:        gate, up and their product;
  // and, for several texts, a copy of the layer's keys and values: of those that go on when one has ended;
  // or, if that is more, the logits of one position per text, as computed and in fp32.
  std::int64_t activations = 0;
};

// `value_bytes`: of one activation, 2 or 4. Throws InputError if batch or length is below 1 or the product
// is beyond what any machine has.
MemoryNeed memory_need(const LlmConfig& config, int value_bytes, std::int64_t batch, std::int64_t length);

// What to keep free on each GPU of `limits` before the layers are placed, so that whatever the plan turns out
// to be, weights, cache and activations fit: the activations, and the cache of as many layers as the GPU
// could hold together with their cache, and one more (at most all layers). A plan that spreads the layers
// over GPUs which could each take them all needs less than that. Never more than the limit.
std::map<Place, std::int64_t> safe_reserve(const ModelTree& tree, const LlmConfig& config,
                                           const MemoryNeed& need, const MemoryLimits& limits);

// What --reserve says, "auto" or a size for each GPU, as it comes to in these limits. Throws InputError.
std::map<Place, std::int64_t> reserve_for(const std::string& option, const ModelTree& tree,
                                          const LlmConfig& config, const MemoryNeed& need,
                                          const MemoryLimits& limits);

// The limits less the reserve, at least 0.
MemoryLimits without_reserve(const MemoryLimits& limits, const std::map<Place, std::int64_t>& reserve);

// Decoder layers in each place of the map.
std::map<Place, std::int64_t> layers_by_place(const LlmConfig& config, const DeviceMap& map);

}  // namespace relmpi
