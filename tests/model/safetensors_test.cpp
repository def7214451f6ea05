#include "model/safetensors.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/torch_headers.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

namespace fs = std::filesystem;

class Safetensors : public testing::Test {
 protected:
  void SetUp() override {
    file_ = fs::temp_directory_path() / fmt::format("relmpi-safetensors-{}.safetensors", ::getpid());
    at::manual_seed(1);
    tensors_ = {{"a", at::randn({3, 4})},
                {"b.c", at::randn({2, 2, 2}).to(at::kBFloat16)},
                {"empty", at::empty({0, 5}, at::kHalf)},
                {"ids", at::arange(7, at::kInt)}};
    write_safetensors(file_, tensors_);
  }
  void TearDown() override { fs::remove(file_); }

  std::string failure() const {
    return input_error_of([&] { read_safetensors(file_); });
  }
  void replace(const std::string& what, const std::string& with) {
    std::string bytes = read_file(file_);
    const auto place = bytes.find(what);
    ASSERT_NE(place, std::string::npos) << what;
    bytes.replace(place, what.size(), with);
    write_file_atomic(file_, bytes);
  }

  fs::path file_;
  std::vector<std::pair<std::string, at::Tensor>> tensors_;
};

TEST_F(Safetensors, GivesBackWhatWasWritten) {
  const auto read = read_safetensors(file_);
  ASSERT_EQ(read.size(), tensors_.size());
  for (const auto& [name, tensor] : tensors_) {
    ASSERT_TRUE(read.contains(name));
    EXPECT_EQ(read.at(name).scalar_type(), tensor.scalar_type());
    EXPECT_TRUE(read.at(name).equal(tensor)) << name;
  }
}

TEST_F(Safetensors, EveryTruncationIsAnInputError) {
  const std::string bytes = read_file(file_);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    write_file_atomic(file_, bytes.substr(0, size));
    EXPECT_NE(failure(), "") << size;
  }
}

TEST_F(Safetensors, NamesTheTensorWhoseShapeDoesNotFit) {
  replace("[3,4]", "[3,5]");
  EXPECT_NE(failure().find("tensor a"), std::string::npos) << failure();
}

TEST_F(Safetensors, RefusesUnknownDtypesNegativeShapesAndHugeHeaders) {
  replace("\"F32\"", "\"F99\"");
  EXPECT_NE(failure().find("F99"), std::string::npos);
  SetUp();
  replace("[3,4]", "[-3,4]");
  EXPECT_NE(failure(), "");
  SetUp();
  std::string bytes = read_file(file_);
  bytes[7] = 0x10;  // a header of 2^60 bytes
  write_file_atomic(file_, bytes);
  EXPECT_NE(failure().find("header"), std::string::npos);
}

TEST_F(Safetensors, RefusesOverlappingTensors) {
  replace("\"data_offsets\":[48,64]", "\"data_offsets\":[44,60]");
  EXPECT_NE(failure().find("expected"), std::string::npos) << failure();
}

}  // namespace
}  // namespace relmpi
