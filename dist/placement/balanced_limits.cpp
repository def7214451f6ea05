#include <algorithm>
#include <set>
#include <unordered_set>

#include "base/error.h"
#include "dist/placement/module_sizes.h"
#include "dist/placement/placement.h"

namespace relmpi {
namespace {

// The largest first-met module of each unsplittable class.
std::int64_t unsplittable_layer(const ModelTree& tree, const ModuleSizes& sizes) {
  std::int64_t largest = 0;
  std::set<std::string> met;
  for (const std::string& name : sizes.names()) {
    const Module* module = name.empty() ? nullptr : sizes.module(name);
    if (module != nullptr && is_unsplittable(tree, *module) && met.insert(module->layer_class).second)
      largest = std::max(largest, sizes.of(name));
  }
  return largest;
}

// Names that are no other name's parent.
std::vector<std::string> leaves(const std::vector<std::string>& names) {
  std::unordered_set<std::string> parents;
  for (const std::string& name : names)
    if (const auto dot = name.rfind('.'); dot != std::string::npos) parents.insert(name.substr(0, dot));
  std::vector<std::string> out;
  for (const std::string& name : names)
    if (!name.empty() && !parents.contains(name)) out.push_back(name);
  return out;
}

// Mean bytes of the modules that hold tensors and no other module.
std::int64_t mean_final_module(const ModuleSizes& sizes) {
  const auto tensors = leaves(sizes.names());
  const std::unordered_set<std::string> is_tensor(tensors.begin(), tensors.end());
  std::vector<std::string> modules;
  for (const std::string& name : sizes.names())
    if (!is_tensor.contains(name)) modules.push_back(name);
  const auto final_modules = leaves(modules);
  std::int64_t sum = 0;
  for (const std::string& name : final_modules) sum += sizes.of(name);
  return sum / std::max<std::int64_t>(1, static_cast<std::int64_t>(final_modules.size()));
}

}  // namespace

MemoryLimits balanced_limits(const ModelTree& tree, const MemoryLimits& limits, Strategy strategy) {
  std::vector<Place> gpus;  // that may take anything
  for (const auto& [place, bytes] : limits)
    if (place.is_gpu() && bytes > 0) gpus.push_back(place);
  if (strategy == Strategy::kSequential || gpus.empty()) return limits;
  const bool low_zero = strategy == Strategy::kBalancedLowZero && gpus.size() > 1;
  const ModuleSizes sizes(tree);
  const auto count = static_cast<std::int64_t>(gpus.size());
  const std::int64_t slack = std::max(unsplittable_layer(tree, sizes), mean_final_module(sizes));
  const std::int64_t share = sizes.of("") / (low_zero ? count - 1 : count) + slack + slack / 4;
  MemoryLimits out = limits;
  for (std::size_t i = 0; i + 1 < gpus.size(); ++i)
    if (!low_zero || gpus[i] != Place::gpu(0)) out[gpus[i]] = std::min(share, out[gpus[i]]);
  if (!low_zero) return out;
  std::int64_t others = 0;
  for (int i = 0; i < count; ++i) {
    const auto found = out.find(Place::gpu(i));
    if (found == out.end())
      throw InputError(
          "balanced_low_0 counts the GPUs from 0 without gaps, but GPU {} has no memory limit; name GPUs 0 "
          "to {} in "
          "--max-memory, or take balanced",
          i, count - 1);
    if (i > 0) others += found->second;
  }
  std::int64_t& first = out[Place::gpu(0)];
  first = std::min(first, std::max<std::int64_t>(0, sizes.of("") - others));
  return out;
}

}  // namespace relmpi
