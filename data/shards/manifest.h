#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace relmpi {

struct ManifestShard {
  std::string file;  // name inside the folder
  std::string xxh3;  // XXH3-128 of the file
  std::uint64_t bytes = 0;
  std::uint64_t sentences = 0;
  std::uint64_t tokens = 0;
};

// manifest.json: what a folder of shards holds. Every value is checked against something else, so that damage
// to the manifest itself cannot pass: names against files, sizes and hashes against their bytes, counts and
// vocabulary against the shards' own headers.
struct Manifest {
  std::string vocab_xxh3;
  std::vector<ManifestShard> shards;

  static constexpr const char* kFileName = "manifest.json";

  // Throws InputError naming the file and the field for anything missing, unknown or of another kind.
  static Manifest load(const std::filesystem::path& folder);
  void save(const std::filesystem::path& folder) const;
};

// Compares size and XXH3-128 of a shard with the manifest. To be called before libhdf5 sees the file. Throws
// InputError naming file and hashes.
void check_shard_file(const std::filesystem::path& folder, const ManifestShard& shard);

}  // namespace relmpi
