#pragma once

#include <filesystem>
#include <string_view>

namespace relmpi {

// A file's bytes without a copy: pages come from the disk as they are read, and the system may drop them
// again. The file must not be cut short meanwhile (replacing it under its name is safe).
class MappedFile {
 public:
  // Throws InputError if it cannot be opened or is not a regular file, RuntimeError if it cannot be mapped.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
};

}  // namespace relmpi
