#include "base/mapped_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"

namespace relmpi {
namespace {

namespace fs = std::filesystem;

class Mapped : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("relmpi-mapped-" + std::to_string(::getpid()));
    create_folder(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST_F(Mapped, HoldsTheFilesBytesEvenWhenItIsReplaced) {
  const std::string bytes(100'000, 'x');
  write_file_atomic(folder_ / "a", bytes);
  write_file_atomic(folder_ / "empty", "");
  const MappedFile file(folder_ / "a");
  write_file_atomic(folder_ / "a", "short");
  EXPECT_EQ(file.bytes(), bytes);
  EXPECT_EQ(MappedFile(folder_ / "a").bytes(), "short");
  EXPECT_TRUE(MappedFile(folder_ / "empty").bytes().empty());
}

TEST_F(Mapped, WhatIsNoFileIsRefused) {
  EXPECT_THROW(MappedFile(folder_ / "missing"), InputError);
  EXPECT_THROW(MappedFile{folder_}, InputError);
  EXPECT_THROW(MappedFile("/dev/null"), InputError);
}

}  // namespace
}  // namespace relmpi
