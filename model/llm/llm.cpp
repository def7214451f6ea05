#include "model/llm/llm.h"

#include "base/torch_headers.h"
#include "model/llm/modules.h"

namespace relmpi {
namespace {

at::Device device_of(Place place, bool rehearse) {
  if (place == Place::disk())
    throw InputError(
        "the device map leaves weights on disk, from which relmpi does not run; give more memory "
        "(--max-memory), a smaller dtype (--dtype bf16) or a smaller model");
  if (rehearse || !place.is_gpu()) return at::kCPU;
  return {at::kCUDA, static_cast<at::DeviceIndex>(place.number)};
}

Place place_of(const DeviceMap& map, const std::string& module) {
  const Place* place = map.find(module);
  if (place == nullptr)
    throw InputError("the device map splits {} over several places; relmpi runs a layer in one", module);
  return *place;
}

// The parts of a layer are all where the layer is.
void demand_whole_layers(const ModelTree& tree, const DeviceMap& map) {
  if (const std::string layer = split_layer(tree, map); !layer.empty())
    throw InputError("the device map splits {} over several places; relmpi runs a layer in one", layer);
}

// Places that --max-memory makes up are for rehearsals.
MemoryLimits limits_for(const LlmOptions& options) {
  if (options.max_memory.empty()) return options.at_hand;
  MemoryLimits limits = parse_memory_limits(options.max_memory);
  for (const auto& [place, bytes] : limits)
    if (place.is_gpu() && !options.rehearse && !options.at_hand.contains(place))
      throw InputError("--max-memory names GPU {}, which is not here; --rehearse tries a map on the CPU",
                       place.number);
  return limits;
}

// What the host holds must fit as well: a map counts weights only, and no reserve is kept of the host.
void demand_host_room(const ModelTree& tree, const LlmConfig& config, const DeviceMap& map,
                      const MemoryNeed& need, const Workload& work, const MemoryLimits& limits) {
  const auto limit = limits.find(Place::cpu());
  const auto layers = layers_by_place(config, map);
  const auto found = layers.find(Place::cpu());
  if (limit == limits.end() || limit->second == 0 || found == layers.end()) return;
  const std::int64_t weights = bytes_by_place(tree, map).at(Place::cpu()),
                     cache = found->second * need.kv_cache_per_layer;
  if (weights + cache + need.activations <= limit->second) return;
  const auto mb = [](std::int64_t bytes) { return static_cast<double>(bytes) / 1e6; };
  throw InputError(
      "the host would hold {:.0f} MB of weights, {:.0f} MB of keys and values for {} text(s) of {} tokens, "
      "and {:.0f} MB of activations, but has {:.0f} MB; take fewer texts at once (--batch), shorter answers "
      "(--max-new-tokens) or --dtype bf16",
      mb(weights), mb(cache), work.batch, work.length, mb(need.activations), mb(limit->second));
}

DeviceMap map_for(const LlmOptions& options, const LlmConfig& config, const ModelTree& tree,
                  const MemoryNeed& need, const Workload& work) {
  const PlacementChoice choice = choose_placement(options.placement);
  const MemoryLimits limits = limits_for(options);
  MemoryLimits left = without_reserve(limits, reserve_for(options.reserve, tree, config, need, limits));
  if (options.max_memory.empty()) left = with_slack(left, choice);
  const DeviceMap map = make_plan(tree, left, choice).map;
  demand_whole_layers(tree, map);
  demand_host_room(tree, config, map, need, work, limits);
  return map;
}

}  // namespace

LlmPlaces places_of(const DeviceMap& map, const LlmConfig& config, bool rehearse) {
  LlmPlaces places;
  std::map<Place, std::size_t> slots;
  const auto slot_of = [&](const std::string& module) {
    const Place place = place_of(map, module);
    const auto [found, fresh] = slots.emplace(place, places.devices.size());
    if (fresh) places.devices.push_back(device_of(place, rehearse));
    return found->second;
  };
  places.embedding = slot_of("model.embed_tokens");
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i)
    places.layers.push_back(slot_of(decoder_layer_name(i)));
  places.head = slot_of("lm_head");
  return places;
}

Llm open_llm(const LlmOptions& options,
             const std::function<Workload(const BpeTokenizer&, const LlmConfig&)>& workload) {
  const LlmConfig config = load_llm_config(options.folder / "config.json");
  const at::ScalarType dtype = weight_dtype(options.dtype, config);
  BpeTokenizer tokenizer = BpeTokenizer::load(options.folder);
  if (tokenizer.vocabulary_size() > config.vocab_size)
    throw InputError(
        "{}: tokenizer.json has {} tokens, but the embedding {} rows (vocab_size): files of different models",
        options.folder.string(), tokenizer.vocabulary_size(), config.vocab_size);
  const auto value_bytes = value_bytes_of(dtype);
  const ModelTree tree = decoder_tree(config, value_bytes);
  Workload work = workload ? workload(tokenizer, config) : Workload{options.batch, options.length};
  work.length = std::min(work.length, config.max_position_embeddings);
  const MemoryNeed need = memory_need(config, value_bytes, work.batch, work.length);
  const DeviceMap map = map_for(options, config, tree, need, work);
  return {std::move(tokenizer), end_tokens(options.folder, config), map, need,
          Decoder(options.folder, config, dtype, places_of(map, config, options.rehearse))};
}

}  // namespace relmpi
