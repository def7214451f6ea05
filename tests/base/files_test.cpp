#include "base/files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/error.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

namespace fs = std::filesystem;

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        fs::temp_directory_path() / ("relmpi-" + std::string(test->name()) + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

// While alive, no file may grow beyond `bytes`: write() fails with EFBIG, as it does with ENOSPC on a full
// disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit old_{};
  void (*handler_)(int) = nullptr;
};

TEST_F(Files, WhatIsWrittenIsRead) {
  const std::string bytes("a\0b\r\n\xff", 6);
  write_file_atomic(folder_ / "file", bytes);
  EXPECT_EQ(read_file(folder_ / "file"), bytes);
  EXPECT_EQ(entries(), 1U);  // no temporary file stays
}

TEST_F(Files, LinesAreSplitAtNewlineAlone) {
  const std::string separator = "\xe2\x80\xa8";  // U+2028
  write_file_atomic(folder_ / "file", "one\r\n" + separator + "\n\nlast");
  EXPECT_EQ(read_lines(folder_ / "file"), (std::vector<std::string>{"one", separator, "", "last"}));
}

TEST_F(Files, AMissingFileIsTheCallersError) {
  EXPECT_INPUT_ERROR(read_file(folder_ / "absent"), "absent");
  EXPECT_THROW(read_lines(folder_ / "absent"), InputError);
}

TEST_F(Files, AFolderIsNoFile) { EXPECT_THROW(read_file(folder_), InputError); }

TEST_F(Files, WithoutCommitNothingAppears) {
  {
    AtomicFile file(folder_ / "file");
    file.write(std::string(3 << 20, 'x'));  // more than the buffer: bytes are on the disk
    EXPECT_TRUE(fs::exists(file.temporary_path()));
    EXPECT_FALSE(fs::exists(folder_ / "file"));
  }
  EXPECT_EQ(entries(), 0U);
}

TEST_F(Files, TheOldFileStaysUntilCommit) {
  write_file_atomic(folder_ / "file", "old");
  AtomicFile file(folder_ / "file");
  file.write("new");
  EXPECT_EQ(read_file(folder_ / "file"), "old");
  file.commit();
  EXPECT_EQ(read_file(folder_ / "file"), "new");
}

TEST_F(Files, ADiskThatTakesNoMoreKeepsTheOldFile) {
  write_file_atomic(folder_ / "file", "old");
  const FileSizeLimit limit(64 << 10);
  try {
    write_file_atomic(folder_ / "file", std::string(1 << 20, 'x'));
    FAIL() << "no exception";
  } catch (const RuntimeError& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find((folder_ / "file").string()), std::string::npos) << what;
    EXPECT_NE(what.find("File too large"), std::string::npos) << what;
  }
  EXPECT_EQ(read_file(folder_ / "file"), "old");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(Files, ADeviceAPipeOrAFolderIsNotReplaced) {
  const fs::path pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const fs::path& path : {fs::path("/dev/null"), pipe, folder_})
    EXPECT_THROW(write_file_atomic(path, "x"), InputError) << path;
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_TRUE(fs::is_fifo(pipe));
  EXPECT_EQ(entries(), 1U);
}

TEST_F(Files, ASymbolicLinkIsFollowed) {
  fs::create_directories(folder_ / "far");
  write_file_atomic(folder_ / "far/real", "old");
  fs::create_symlink("far/real", folder_ / "link");
  write_file_atomic(folder_ / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(read_file(folder_ / "far/real"), "new");
}

TEST_F(Files, AFolderThatIsNotThereIsNamed) {
  EXPECT_THROW(write_file_atomic(folder_ / "absent" / "file", "x"), RuntimeError);
}

TEST_F(Files, FoldersAreMadeWithTheirParents) {
  create_folder(folder_ / "a" / "b");
  create_folder(folder_ / "a" / "b");  // again: no error
  EXPECT_TRUE(fs::is_directory(folder_ / "a" / "b"));
  write_file_atomic(folder_ / "file", "x");
  EXPECT_THROW(create_folder(folder_ / "file" / "c"), InputError);
}

TEST_F(Files, AResultThatCannotBeWrittenIsRefusedBeforeThereIsOne) {
  EXPECT_EQ(result_file("", "x.json"), fs::path());
  EXPECT_EQ(result_file((folder_ / "out").string(), "x.json"), folder_ / "out" / "x.json");
  EXPECT_FALSE(fs::exists(folder_ / "out"));
  EXPECT_EQ(result_file((folder_ / "out" / "a").string(), "x.json"), folder_ / "out" / "a" / "x.json");
  create_folder(folder_ / "out" / "x.json");
  EXPECT_THROW(result_file((folder_ / "out").string(), "x.json"), InputError);
  write_file_atomic(folder_ / "file", "x");
  EXPECT_THROW(result_file((folder_ / "file").string(), "x.json"), InputError);
  EXPECT_THROW(result_file((folder_ / "file" / "a").string(), "x.json"), InputError);
}

}  // namespace
}  // namespace relmpi
