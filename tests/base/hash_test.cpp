#include "base/hash.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"

namespace relmpi {
namespace {

// From the xxHash specification's reference (xxhsum -H128 of an empty file).
constexpr const char* kEmpty = "99aa06d3014798d86001c324468d497f";

TEST(Hash, OfNothing) { EXPECT_EQ(xxh3_128(""), kEmpty); }

TEST(Hash, PiecesAndWholeAgree) {
  std::string bytes;
  for (int i = 0; i < 100000; ++i) bytes.push_back(static_cast<char>(i * 31));
  Hasher hasher;
  for (std::size_t begin = 0, size = 1; begin < bytes.size(); begin += size, size = size * 3 % 4093 + 1) {
    hasher.update(bytes.data() + begin, std::min(size, bytes.size() - begin));
  }
  EXPECT_EQ(hasher.hex(), xxh3_128(bytes));
}

TEST(Hash, OneBitChangesIt) { EXPECT_NE(xxh3_128("relmpi"), xxh3_128("relmpj")); }

TEST(Hash, OfAFile) {
  const auto path = std::filesystem::temp_directory_path() / ("relmpi-hash-" + std::to_string(::getpid()));
  const std::string bytes(5 << 20, 'q');  // several pieces
  write_file_atomic(path, bytes);
  EXPECT_EQ(xxh3_128_of_file(path), xxh3_128(bytes));
  std::filesystem::remove(path);
  EXPECT_THROW(xxh3_128_of_file(path), InputError);
}

}  // namespace
}  // namespace relmpi
