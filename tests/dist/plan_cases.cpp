// Answers placement_parity.py: a case as JSON per line of stdin, the limits and the map that we find for it
// per line of stdout. A case has "strategy", "limits" and a "tree", or a "config" (file) and "dtype".

#include <fmt/core.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "dist/placement/placement_options.h"
#include "model/llm/modules.h"

namespace {

using namespace relmpi;
using nlohmann::ordered_json;

// {"class": "A", "tensors": [["weight", 8, "parameter" or "buffer"]], "children": [["name", {...}]]}
Module module_of(const ordered_json& node, const std::string& name) {
  Module module{name, node.at("class"), {}, {}};
  for (const auto& tensor : node.at("tensors"))
    module.tensors.push_back(
        {tensor[0], tensor[1], tensor[2] == "parameter" ? TensorKind::kParameter : TensorKind::kBuffer});
  for (const auto& child : node.at("children")) module.children.push_back(module_of(child[1], child[0]));
  return module;
}

ModelTree tree_of(const ordered_json& question) {
  if (question.contains("config"))
    return decoder_tree(load_llm_config(question["config"].get<std::string>()),
                        value_bytes_of(dtype_of(question["dtype"])));
  return {module_of(question.at("tree"), ""), question.at("tied"), question.at("no_split")};
}

void list_modules(const Module& module, const std::string& name, ordered_json& out) {
  ordered_json tensors = ordered_json::array();
  for (const TreeTensor& tensor : module.tensors) tensors.push_back({tensor.name, tensor.bytes});
  out.push_back({name, module.layer_class, tensors});
  for (const Module& child : module.children)
    list_modules(child, name.empty() ? child.name : name + "." + child.name, out);
}

ordered_json answer(const ordered_json& question) {
  const ModelTree tree = tree_of(question);
  if (question.contains("list")) {
    ordered_json modules = ordered_json::array();
    list_modules(tree.root, "", modules);
    return {{"modules", modules}, {"tied", tree.tied}, {"no_split", tree.no_split}};
  }
  MemoryLimits limits;
  for (const auto& [name, bytes] : question.at("limits").items())
    limits[name == "cpu"    ? Place::cpu()
           : name == "disk" ? Place::disk()
                            : Place::gpu(std::stoi(name))] = bytes;
  const Plan plan = make_plan(tree, limits, choose_placement({.device_map = question.at("strategy")}));
  ordered_json out{{"max_memory", ordered_json::object()}, {"device_map", ordered_json::object()}};
  for (const auto& [place, bytes] : plan.limits) out["max_memory"][to_string(place)] = bytes;
  for (const auto& [prefix, place] : plan.map.entries) out["device_map"][prefix] = to_string(place);
  out["bytes"] = model_bytes(tree);
  return out;
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    try {
      fmt::print("{}\n", answer(ordered_json::parse(line)).dump());
    } catch (const InputError& error) {
      fmt::print("{}\n", ordered_json{{"error", error.what()}}.dump());
    }
  }
  return 0;
}
