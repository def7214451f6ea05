#include "dist/placement/placement.h"

#include <algorithm>

#include "base/error.h"
#include "dist/placement/module_sizes.h"

namespace relmpi {
namespace {

// A module or a parameter that is still to be placed.
struct Part {
  std::string name;
  const Module* module = nullptr;  // null for a parameter
};

// The rules of infer_device_map, one part at a time.
class Filler {
 public:
  Filler(const ModelTree& tree, const MemoryLimits& limits) : tree_(tree), sizes_(tree), limits_(limits) {
    limits_.erase(Place::disk());
    for (const auto& [place, bytes] : limits_) places_.push_back(place);
    places_.push_back(Place::disk());
    for (auto& group : tied_ = tree.tied) std::ranges::sort(group);
    rest_ = direct_parts({"", &tree.root});
    for (const TreeTensor& tensor : tree.root.tensors)
      if (tensor.kind != TensorKind::kParameter) rest_.push_back({tensor.name, nullptr});
    measure_largest(rest_);
  }

  std::map<std::string, Place> run() {
    while (!rest_.empty()) {
      const Part part = rest_.front();
      rest_.erase(rest_.begin());
      step(part);
    }
    return std::move(map_);
  }

 private:
  struct Ties {
    std::vector<std::string> parameters;  // outside the part, each one tensor with one inside it
    std::vector<Part> owners;             // the parts that hold them
    std::int64_t bytes = 0;               // that these parts add
  };

  std::vector<Part> direct_parts(const Part& part) const {
    std::vector<Part> out;
    for (const TreeTensor& tensor : part.module->tensors)
      if (tensor.kind == TensorKind::kParameter) out.push_back({join_name(part.name, tensor.name), nullptr});
    for (const Module& child : part.module->children)
      out.push_back({join_name(part.name, child.name), &child});
    return out;
  }

  bool splittable(const Part& part) const {
    return part.module != nullptr && !part.module->children.empty() && !is_unsplittable(tree_, *part.module);
  }

  void measure_largest(const std::vector<Part>& parts) {
    largest_ = 0;
    largest_names_.clear();
    for (const Part& part : parts) measure_largest(part);
  }

  void measure_largest(const Part& part) {
    if (splittable(part)) {
      for (const Module& child : part.module->children)
        measure_largest({join_name(part.name, child.name), &child});
      return;
    }
    const std::int64_t bytes = sizes_.of(part.name);
    if (bytes > largest_) largest_names_.clear();
    if (bytes >= largest_) largest_names_.push_back(part.name);
    largest_ = std::max(largest_, bytes);
  }

  void measure_largest_module() {
    std::vector<Part> modules;
    for (const Part& part : rest_)
      if (part.module != nullptr) modules.push_back(part);
    measure_largest(modules);
  }

  Ties ties_of(const Part& part) const {
    Ties ties;
    // Accelerate looks for the name anywhere in the parameter's, not only at its beginning.
    const auto within = [&](const std::string& parameter) {
      return (parameter + ".").find(part.name + ".") != std::string::npos;
    };
    for (const auto& group : tied_) {
      if (std::ranges::none_of(group, within)) continue;
      for (const std::string& parameter : group)
        if (!within(parameter)) ties.parameters.push_back(parameter);
    }
    for (const std::string& parameter : ties.parameters) {
      const auto owner = std::ranges::find_if(
          rest_, [&](const Part& other) { return parameter.starts_with(other.name + "."); });
      if (owner == rest_.end())
        throw InputError(
            "the tied tensors {} and those of {} cannot be placed together: by then one of them has "
            "its place or stands alone; write the device map out as a JSON file",
            parameter, part.name);
      ties.owners.push_back(*owner);
      ties.bytes += sizes_.of(owner->name) - sizes_.of(parameter);
    }
    return ties;
  }

  void step(const Part& part) {
    std::erase_if(largest_names_, [&](const std::string& name) { return lies_in(name, part.name); });
    if (largest_names_.empty()) measure_largest_module();
    const Ties ties = ties_of(part);
    const Place place = places_[current_];
    const std::int64_t bytes = sizes_.of(part.name);
    const bool keeps_room = place == Place::cpu() || (place.is_gpu() && current_ == 0);
    const std::int64_t room = place == Place::disk() ? std::numeric_limits<std::int64_t>::max()
                                                     : limits_[place] - (keeps_room ? largest_ : 0) - used_;
    if (bytes + ties.bytes <= room) return put(part, ties, place, bytes);
    if (!ties.parameters.empty() && bytes <= room && split_owner(part, ties)) return;
    if (bytes >= room && splittable(part)) return insert_parts(0, part);
    ++current_;
    used_ = 0;
    rest_.insert(rest_.begin(), part);
  }

  void put(const Part& part, const Ties& ties, Place place, std::int64_t bytes) {
    used_ += bytes + ties.bytes;
    map_[part.name] = place;
    for (const Part& owner : ties.owners) {
      std::erase_if(rest_, [&](const Part& other) { return other.name == owner.name; });
      map_[owner.name] = place;
    }
  }

  // Splits the first part that shares a tensor with this one and can be split, so that less of it comes
  // along.
  bool split_owner(const Part& part, const Ties& ties) {
    const auto owner =
        std::ranges::find_if(ties.owners, [&](const Part& other) { return splittable(other); });
    if (owner == ties.owners.end()) return false;
    const auto at = std::ranges::find(rest_, owner->name, &Part::name) - rest_.begin();
    rest_.insert(rest_.begin(), part);
    rest_.erase(rest_.begin() + at + 1);
    insert_parts(at + 1, *owner);
    return true;
  }

  void insert_parts(std::ptrdiff_t at, const Part& of) {
    const auto parts = direct_parts(of);
    rest_.insert(rest_.begin() + at, parts.begin(), parts.end());
    measure_largest_module();
  }

  const ModelTree& tree_;
  const ModuleSizes sizes_;
  MemoryLimits limits_;
  std::vector<std::vector<std::string>> tied_;
  std::vector<Place> places_;
  std::size_t current_ = 0;
  std::int64_t used_ = 0;  // of the current place
  std::vector<Part> rest_;
  std::int64_t largest_ = 0;  // bytes of the largest layer that is still to come
  std::vector<std::string> largest_names_;
  std::map<std::string, Place> map_;
};

// Prefixes whose parts share a place become one.
void merge(std::map<std::string, Place>& map, const std::string& name) {
  const std::string prefix = name.empty() ? "" : name + ".";
  const auto first = map.lower_bound(prefix);
  auto last = first;
  std::size_t count = 0;
  bool same = true;
  std::vector<std::string> children;
  for (; last != map.end() && last->first.starts_with(prefix); ++last, ++count) {
    same = same && last->second == first->second;
    const std::string child = last->first.substr(0, last->first.find('.', prefix.size()));
    if (children.empty() || children.back() != child) children.push_back(child);
  }
  if (count > 1 && same) {
    const Place place = first->second;
    map.erase(first, last);
    map[name] = place;
    return;
  }
  for (const std::string& child : children)
    if (!map.contains(child)) merge(map, child);
}

}  // namespace

DeviceMap infer_device_map(const ModelTree& tree, const MemoryLimits& limits) {
  auto map = Filler(tree, limits).run();
  merge(map, "");
  return in_module_order(tree, {{map.begin(), map.end()}});
}

}  // namespace relmpi
