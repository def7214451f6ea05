#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace relmpi {

// Versions of the libraries in this process, by name: libtorch, mpi, nccl, cuda_runtime, cuda_driver (nothing
// without a driver).
using Versions = std::map<std::string, std::optional<std::string>>;

Versions versions();
nlohmann::json to_json(const Versions& versions);

}  // namespace relmpi
