#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace relmpi {

// Real data beside the repository, or where RELMPI_SHARED_DATA says.
inline std::filesystem::path shared_data() {
  const char* chosen = std::getenv("RELMPI_SHARED_DATA");
  return chosen != nullptr ? std::filesystem::path(chosen)
                           : std::filesystem::path(RELMPI_SOURCE_FOLDER) / ".." / "shared" / "data";
}

// A folder of this test's own, gone with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::temp_directory_path() /
            ("relmpi-" + std::string(test->test_suite_name()) + test->name() + std::to_string(::getpid()));
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// The message of the InputError that `body` throws; fails if it throws none.
template <typename Error, typename Body>
std::string message_of(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "no exception";
  return "";
}

}  // namespace relmpi

// Skips the test, by name and with the reason, if a path of the shared data is missing.
#define RELMPI_NEEDS(path)                                                                                \
  if (!std::filesystem::exists(path)) {                                                                   \
    GTEST_SKIP() << (path).string() << " is not there; set RELMPI_SHARED_DATA to the folder that has it"; \
  }
