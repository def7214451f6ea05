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

// The slots of a map: one for each place it names. `rehearse`: all of them on the CPU.
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

}  // namespace

Llm load_llm(LlmFolder folder, LlmPlan plan) {
  const LlmPlaces places = places_of(plan.map, folder.config, plan.rehearse);
  plan.demand_runnable();
  Decoder decoder(folder.path, folder.config, plan.dtype, places);
  return {std::move(folder), std::move(plan), std::move(decoder)};
}

}  // namespace relmpi
