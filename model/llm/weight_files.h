#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

namespace relmpi {

// All tensors of a Hugging Face model folder by name, mapped and not copied: model.safetensors, or the shards
// that model.safetensors.index.json lists. Throws InputError naming file and tensor: a missing or damaged
// file, an index that names a tensor its shard does not hold, a tensor in two shards.
std::map<std::string, at::Tensor> map_weight_files(const std::filesystem::path& folder);

}  // namespace relmpi
