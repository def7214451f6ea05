#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace relmpi {

// XXH3-128 over pieces, as 32 lower-case hexadecimal digits.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  void update(const void* bytes, std::size_t size);
  std::string hex() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

std::string xxh3_128(std::string_view bytes);

// Reads the file in pieces. Throws InputError when it cannot be read.
std::string xxh3_128_of_file(const std::filesystem::path& path);

}  // namespace relmpi
