#include <algorithm>
#include <set>

#include "base/error.h"
#include "dist/placement/module_sizes.h"
#include "dist/placement/placement.h"

namespace relmpi {
namespace {

void rank_names(const Module& module, const std::string& name, std::map<std::string, std::size_t>& ranks) {
  ranks.emplace(name, ranks.size());
  for (const TreeTensor& tensor : module.tensors) ranks.emplace(join_name(name, tensor.name), ranks.size());
  for (const Module& child : module.children) rank_names(child, join_name(name, child.name), ranks);
}

void collect_places(const Module& module, const std::string& name, const DeviceMap& map,
                    std::set<Place>& places) {
  for (const TreeTensor& tensor : module.tensors)
    if (const Place* place = map.find(join_name(name, tensor.name))) places.insert(*place);
  for (const Module& child : module.children) collect_places(child, join_name(name, child.name), map, places);
}

std::string split_layer(const ModelTree& tree, const Module& module, const std::string& name,
                        const DeviceMap& map) {
  if (is_unsplittable(tree, module)) {
    std::set<Place> places;
    collect_places(module, name, map, places);
    return places.size() > 1 ? name : "";
  }
  for (const Module& child : module.children)
    if (std::string found = split_layer(tree, child, join_name(name, child.name), map); !found.empty())
      return found;
  return "";
}

}  // namespace

std::string to_string(Place place) {
  if (place == Place::cpu()) return "cpu";
  return place == Place::disk() ? "disk" : std::to_string(place.number);
}

std::string device_name(Place place) { return (place.is_gpu() ? "cuda:" : "") + to_string(place); }

const Place* DeviceMap::find(std::string_view name) const {
  const std::pair<std::string, Place>* best = nullptr;
  for (const auto& entry : entries) {
    const std::string& prefix = entry.first;
    if ((prefix.empty() || lies_in(name, prefix)) && (best == nullptr || prefix.size() > best->first.size()))
      best = &entry;
  }
  return best == nullptr ? nullptr : &best->second;
}

DeviceMap in_module_order(const ModelTree& tree, const DeviceMap& map) {
  std::map<std::string, std::size_t> ranks;
  rank_names(tree.root, "", ranks);
  DeviceMap out = map;
  std::ranges::stable_sort(out.entries, {}, [&](const auto& entry) {
    const auto found = ranks.find(entry.first);
    return found == ranks.end() ? ranks.size() : found->second;
  });
  return out;
}

std::string split_layer(const ModelTree& tree, const DeviceMap& map) {
  return split_layer(tree, tree.root, "", map);
}

std::map<Place, std::int64_t> bytes_by_place(const ModelTree& tree, const DeviceMap& map) {
  std::map<Place, std::int64_t> bytes;
  for (const auto& [prefix, place] : map.entries) bytes[place];
  std::map<std::string, std::size_t> group_of;
  for (std::size_t g = 0; g < tree.tied.size(); ++g)
    for (const std::string& name : tree.tied[g]) group_of.emplace(name, g);
  std::set<std::pair<std::size_t, Place>> met;
  for (const auto& [name, tensor] : tensors_of(tree)) {
    const Place* place = map.find(name);
    const auto group = group_of.find(name);
    if (place != nullptr && (group == group_of.end() || met.emplace(group->second, *place).second))
      bytes[*place] += tensor->bytes;
  }
  return bytes;
}

void check_device_map(const ModelTree& tree, const DeviceMap& map, const std::string& source) {
  const auto tensors = tensors_of(tree);
  for (const auto& [prefix, place] : map.entries) {
    const bool known = std::ranges::any_of(tensors, [&, name = prefix](const auto& tensor) {
      return name.empty() || lies_in(tensor.first, name);
    });
    if (!known)
      throw InputError("{}: \"{}\" is no module or tensor of this model; its tensors are named like {}",
                       source, prefix, tensors.empty() ? "nothing at all" : tensors.front().first);
  }
  for (const auto& [name, tensor] : tensors)
    if (tensor->kind != TensorKind::kTransientBuffer && map.find(name) == nullptr)
      throw InputError(
          "{}: no place is given to {}; name it, one of its parents or \"\" for all that is left out", source,
          name);
}

}  // namespace relmpi
