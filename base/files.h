#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace relmpi {

// The whole file. Throws InputError when it cannot be read.
std::string read_file(const std::filesystem::path& path);

// The lines of a file, split at '\n' alone (a vocabulary holds U+2028); a '\r' before it is dropped, and so
// is an empty last line. Throws InputError when the file cannot be read.
std::vector<std::string> read_lines(const std::filesystem::path& path);

// A file that appears under its name whole or not at all: written to "<path>.tmp.<pid>", fsynced, renamed,
// its folder fsynced. Without commit() the destructor removes what was written. A symbolic link is followed.
// Throws RuntimeError with the path and the system's reason (no space left, read-only, ...), InputError if
// the path is a folder, a device or a pipe.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  // For writers that open a file by name themselves (HDF5).
  const std::filesystem::path& temporary_path() const { return temporary_; }
  void commit();

 private:
  void flush();

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::string buffer_;
  int descriptor_ = -1;
};

void write_file_atomic(const std::filesystem::path& path, std::string_view bytes);

// Makes names in a folder durable. Throws RuntimeError.
void fsync_path(const std::filesystem::path& path);

// Puts the folder `fresh` in the place of `folder` and removes what was there. In one step if the file
// system can exchange two names (Linux's local ones can; on others `folder` is missing for a moment). Both
// must lie in the same parent folder, which is fsynced. Throws RuntimeError.
void replace_folder(const std::filesystem::path& fresh, const std::filesystem::path& folder);

// Creates the folder and its parents. Throws InputError with the reason.
void create_folder(const std::filesystem::path& path);

// `folder`/`name` for --out; empty for an empty folder. Throws InputError if it could not be written: that is
// found before the work. Makes nothing, so that a command that is refused leaves nothing behind: the folder
// may be missing still.
std::filesystem::path result_file(const std::string& folder, const char* name);

}  // namespace relmpi
