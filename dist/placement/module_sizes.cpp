#include "dist/placement/module_sizes.h"

#include <algorithm>
#include <set>

#include "base/error.h"

namespace relmpi {
namespace {

void collect(const Module& module, const std::string& name,
             std::vector<std::pair<std::string, const TreeTensor*>>& out) {
  for (const TreeTensor& tensor : module.tensors) out.emplace_back(join_name(name, tensor.name), &tensor);
  for (const Module& child : module.children) collect(child, join_name(name, child.name), out);
}

}  // namespace

std::string join_name(const std::string& parent, const std::string& name) {
  return parent.empty() ? name : parent + "." + name;
}

bool is_unsplittable(const ModelTree& tree, const Module& module) {
  return std::ranges::find(tree.no_split, module.layer_class) != tree.no_split.end();
}

bool lies_in(std::string_view name, std::string_view module) {
  return name.starts_with(module) && (name.size() == module.size() || name[module.size()] == '.');
}

std::int64_t model_bytes(const ModelTree& tree) { return ModuleSizes(tree).of(""); }

std::vector<std::pair<std::string, const TreeTensor*>> tensors_of(const ModelTree& tree) {
  std::vector<std::pair<std::string, const TreeTensor*>> out;
  collect(tree.root, "", out);
  return out;
}

ModuleSizes::ModuleSizes(const ModelTree& tree) {
  index(tree.root, "");
  std::unordered_map<std::string, std::size_t> group_of;
  for (std::size_t g = 0; g < tree.tied.size(); ++g)
    for (const std::string& name : tree.tied[g]) group_of.emplace(name, g);
  const auto tensors = tensors_of(tree);
  std::set<std::size_t> met;
  for (const auto& [name, tensor] : tensors) {
    if (tensor->kind != TensorKind::kParameter) continue;
    const auto group = group_of.find(name);
    if (group == group_of.end() || met.insert(group->second).second) add(name, tensor->bytes);
  }
  for (const auto& [name, tensor] : tensors)
    if (tensor->kind != TensorKind::kParameter) add(name, tensor->bytes);
}

void ModuleSizes::index(const Module& module, const std::string& name) {
  modules_.emplace(name, &module);
  for (const Module& child : module.children) index(child, join_name(name, child.name));
}

void ModuleSizes::add(const std::string& tensor, std::int64_t bytes) {
  const auto count = [&](const std::string& name) {
    const auto [entry, fresh] = bytes_.emplace(name, 0);
    if (fresh) names_.push_back(name);
    if (__builtin_add_overflow(entry->second, bytes, &entry->second) || entry->second > kMostModelBytes)
      throw InputError("the model is larger than {} bytes, which no place can hold; check its configuration",
                       kMostModelBytes);
  };
  count("");
  for (std::size_t dot = tensor.find('.'); dot != std::string::npos; dot = tensor.find('.', dot + 1))
    count(tensor.substr(0, dot));
  count(tensor);
}

std::int64_t ModuleSizes::of(const std::string& name) const {
  const auto found = bytes_.find(name);
  return found == bytes_.end() ? 0 : found->second;
}

const Module* ModuleSizes::module(const std::string& name) const {
  const auto found = modules_.find(name);
  return found == modules_.end() ? nullptr : found->second;
}

}  // namespace relmpi
