#include "model/llm/weight_files.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/json_fields.h"
#include "model/safetensors.h"

namespace relmpi {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Tensors = std::map<std::string, at::Tensor>;

constexpr const char* kWhole = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

// Tensor name -> file name.
std::map<std::string, std::string> read_index(const fs::path& file) {
  const json document = parse_json(read_file(file), file.string());
  std::map<std::string, std::string> shard_of;
  const JsonFields fields(document, file.string());
  for (const auto& [tensor, shard] : fields.object("weight_map").items()) {
    // A name, not a path: the index must not reach outside its folder.
    if (!shard.is_string() || fs::path(shard.get<std::string>()).filename() != shard.get<std::string>())
      throw InputError("{}: tensor {} lies in {}, which is no file name", file.string(), tensor,
                       shard.dump());
    shard_of.emplace(tensor, shard.get<std::string>());
  }
  if (shard_of.empty()) throw InputError("{}: the index names no tensor", file.string());
  return shard_of;
}

Tensors map_shards(const fs::path& folder) {
  const fs::path index = folder / kIndex;
  const auto shard_of = read_index(index);
  Tensors tensors;
  std::map<std::string, Tensors> shards;
  for (const auto& [tensor, shard] : shard_of) {
    if (shards.contains(shard)) continue;
    const fs::path file = folder / shard;
    if (!fs::exists(file))
      throw InputError("{} is missing: {} says that it holds tensor {}; download it too", file.string(),
                       index.string(), tensor);
    shards.emplace(shard, map_safetensors(file));
    for (const auto& [name, values] : shards.at(shard))
      if (!tensors.emplace(name, values).second)
        throw InputError("{}: tensor {} is in another shard too", file.string(), name);
  }
  for (const auto& [tensor, shard] : shard_of)
    if (!shards.at(shard).contains(tensor))
      throw InputError("{} holds no tensor {}, though {} says so: files of different models, or damaged",
                       (folder / shard).string(), tensor, index.string());
  return tensors;
}

}  // namespace

Tensors map_weight_files(const fs::path& folder) {
  if (fs::exists(folder / kWhole)) return map_safetensors(folder / kWhole);
  if (fs::exists(folder / kIndex)) return map_shards(folder);
  throw InputError("{} has neither {} nor {}: is it a model folder?", folder.string(), kWhole, kIndex);
}

}  // namespace relmpi
