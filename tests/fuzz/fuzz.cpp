#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

namespace relmpi::fuzz {

namespace fs = std::filesystem;

std::map<std::string, Verdicts>& verdicts() {
  static std::map<std::string, Verdicts> all;
  return all;
}

ScratchFile::ScratchFile(const std::string& name) {
  const fs::path memory = "/dev/shm";  // no disk: a reader that saves what it read syncs it each time
  const bool usable = ::access(memory.c_str(), W_OK) == 0;
  std::string pattern = ((usable ? memory : fs::temp_directory_path()) / "relmpi-fuzz-XXXXXX").string();
  RELMPI_CHECK(::mkdtemp(pattern.data()) != nullptr, "{}", pattern);
  folder_ = pattern;
  path_ = folder_ / name;
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  RELMPI_CHECK(descriptor_ >= 0, "{}", path_.string());
}

ScratchFile::~ScratchFile() {
  ::close(descriptor_);
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

const fs::path& ScratchFile::fill(std::string_view bytes) {
  const bool cut = ::ftruncate(descriptor_, 0) == 0;
  const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), 0);
  RELMPI_CHECK(cut && written == static_cast<ssize_t>(bytes.size()), "{}", path_.string());
  return path_;
}

}  // namespace relmpi::fuzz
