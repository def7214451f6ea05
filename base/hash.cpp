#include "base/hash.h"

#include <xxhash.h>

#include <fstream>
#include <vector>

#include "base/error.h"

namespace relmpi {

Hasher::Hasher() : state_(XXH3_createState()) { XXH3_128bits_reset(state_.get()); }
Hasher::~Hasher() = default;

void Hasher::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

void Hasher::update(const void* bytes, std::size_t size) { XXH3_128bits_update(state_.get(), bytes, size); }

std::string Hasher::hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string xxh3_128(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string xxh3_128_of_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError("cannot open {}: does the file exist, and may you read it?", path.string());
  Hasher hasher;
  std::vector<char> buffer(1 << 20);
  while (file) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    hasher.update(buffer.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) throw RuntimeError("reading {} failed", path.string());
  return hasher.hex();
}

}  // namespace relmpi
