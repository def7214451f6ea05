#pragma once

#include <filesystem>
#include <vector>

namespace relmpi {

// A folder that appears under its name whole or not at all: filled as "<path>.tmp.<pid>", then renamed.
// Without commit() the destructor removes what was written, and the parents that were made for it.
class AtomicFolder {
 public:
  // Throws InputError when it cannot be made.
  explicit AtomicFolder(const std::filesystem::path& path);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  // Where to write.
  const std::filesystem::path& temporary_path() const { return temporary_; }
  // Makes its files' names durable and takes the place of a folder of this name, if there is one.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::vector<std::filesystem::path> made_parents_;  // innermost first
  bool committed_ = false;
};

}  // namespace relmpi
