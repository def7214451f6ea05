#include "model/llm/llm.h"

#include "base/torch_headers.h"
#include "model/llm/memory_need.h"
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

Plan plan_for(const LlmOptions& options, const LlmConfig& config, const ModelTree& tree, int value_bytes,
              std::int64_t length) {
  const PlacementChoice choice = choose_placement(options.placement);
  const MemoryLimits limits =
      options.max_memory.empty() ? options.at_hand : parse_memory_limits(options.max_memory);
  const MemoryNeed need =
      memory_need(config, value_bytes, options.batch, std::min(length, config.max_position_embeddings));
  MemoryLimits left = without_reserve(limits, safe_reserve(tree, config, need, limits));
  if (options.max_memory.empty()) left = with_slack(left, choice);
  return make_plan(tree, left, choice);
}

}  // namespace

at::ScalarType llm_dtype(const std::string& name, const LlmConfig& config) {
  const std::string wanted = name.empty() ? config.dtype : name;
  if (wanted == "fp32" || wanted == "float32" || wanted.empty()) return at::kFloat;
  if (wanted == "bf16" || wanted == "bfloat16") return at::kBFloat16;
  if (wanted == "fp16" || wanted == "float16") return at::kHalf;
  throw InputError("--dtype {}: fp32, bf16 or fp16 was expected", wanted);
}

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

Llm open_llm(const LlmOptions& options, const std::function<std::int64_t(const BpeTokenizer&)>& longest) {
  const LlmConfig config = load_llm_config(options.folder / "config.json");
  const at::ScalarType dtype = llm_dtype(options.dtype, config);
  BpeTokenizer tokenizer = BpeTokenizer::load(options.folder);
  if (tokenizer.vocabulary_size() > config.vocab_size)
    throw InputError(
        "{}: tokenizer.json has {} tokens, but the embedding {} rows (vocab_size): files of different models",
        options.folder.string(), tokenizer.vocabulary_size(), config.vocab_size);
  const auto value_bytes = static_cast<int>(c10::elementSize(dtype));
  const ModelTree tree = decoder_tree(config, value_bytes);
  const std::int64_t length = longest ? longest(tokenizer) : options.length;
  const Plan plan = plan_for(options, config, tree, value_bytes, length);
  demand_whole_layers(tree, plan.map);
  return {std::move(tokenizer), end_tokens(options.folder, config), plan.map,
          Decoder(options.folder, config, dtype, places_of(plan.map, config, options.rehearse))};
}

}  // namespace relmpi
