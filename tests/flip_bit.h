#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>

namespace relmpi {

// Flips one bit of a file in place; a second time mends it.
inline void flip_bit(const std::filesystem::path& path, std::uint64_t bit) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  const auto place = static_cast<std::streamoff>(bit / 8);
  file.seekg(place);
  const int byte = file.get();
  file.seekp(place);
  file.put(static_cast<char>(byte ^ (1 << (bit % 8))));
  ASSERT_TRUE(file) << path << ", bit " << bit;
}

}  // namespace relmpi
