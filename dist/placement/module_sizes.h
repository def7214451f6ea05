#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dist/placement/placement.h"

namespace relmpi {

// Bytes of each module and tensor by full name ("" is the model), as Accelerate's compute_module_sizes counts
// them: parameters first, then buffers; a tied parameter only under its first name, so that a module which
// holds nothing else is not named at all.
class ModuleSizes {
 public:
  explicit ModuleSizes(const ModelTree& tree);

  std::int64_t of(const std::string& name) const;                   // 0 for what is not named
  const std::vector<std::string>& names() const { return names_; }  // in the order in which they were met
  const Module* module(const std::string& name) const;              // null for a tensor

 private:
  void add(const std::string& tensor, std::int64_t bytes);
  void index(const Module& module, const std::string& name);

  std::vector<std::string> names_;
  std::unordered_map<std::string, std::int64_t> bytes_;
  std::unordered_map<std::string, const Module*> modules_;
};

bool is_unsplittable(const ModelTree& tree, const Module& module);

// Whether it is that module or tensor, or inside it.
bool lies_in(std::string_view name, std::string_view module);

// "a" and "b" are "a.b"; the root's name is "".
std::string join_name(const std::string& parent, const std::string& name);

}  // namespace relmpi
