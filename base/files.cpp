#include "base/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "base/error.h"

namespace relmpi {
namespace {

constexpr std::size_t kBufferBytes = 1 << 20;

[[noreturn]] void fail(const char* action, const std::filesystem::path& path) {
  const int code = errno;
  throw RuntimeError("cannot {} {}: {}", action, path.string(), std::strerror(code));
}

// Where a symbolic link points, so that it is the file that is replaced and not the link. Renaming over a
// device or a pipe would delete it.
std::filesystem::path followed(std::filesystem::path path) {
  std::error_code error;
  const auto kind = std::filesystem::status(path, error).type();
  if (kind == std::filesystem::file_type::not_found) return path;
  if (kind != std::filesystem::file_type::regular)
    throw InputError("{} exists and is not a regular file: give the name of a file to write", path.string());
  return std::filesystem::is_symlink(path, error) ? std::filesystem::canonical(path) : path;
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path))
    throw InputError("{} is a folder; a file was expected", path.string());
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError("cannot open {}: does the file exist, and may you read it?", path.string());
  std::string bytes;
  if (std::error_code none; std::filesystem::is_regular_file(path, none)) {
    bytes.resize(std::filesystem::file_size(path));
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  } else {  // a pipe, whose length nobody knows
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  if (!file) throw RuntimeError("reading {} failed", path.string());
  return bytes;
}

std::vector<std::string> read_lines(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) end = text.size();
    const std::size_t stop = end > begin && text[end - 1] == '\r' ? end - 1 : end;
    lines.push_back(text.substr(begin, stop - begin));
    begin = end + 1;
  }
  return lines;
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(followed(std::move(path))) {
  temporary_ = path_.string() + ".tmp." + std::to_string(::getpid());
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail("create", temporary_);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  buffer_.append(bytes);
  if (buffer_.size() >= kBufferBytes) flush();
}

void AtomicFile::flush() {
  for (std::size_t done = 0; done < buffer_.size();) {
    const ssize_t written = ::write(descriptor_, buffer_.data() + done, buffer_.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write", path_);
    done += static_cast<std::size_t>(written);
  }
  buffer_.clear();
}

void AtomicFile::commit() {
  flush();
  if (::fsync(descriptor_) != 0) fail("fsync", temporary_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename to", path_);
  ::close(descriptor_);
  descriptor_ = -1;
  fsync_path(path_.parent_path().empty() ? "." : path_.parent_path());
}

void write_file_atomic(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void fsync_path(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail("open", path);
  const int result = ::fsync(descriptor);
  ::close(descriptor);
  if (result != 0 && errno != EINVAL) fail("fsync", path);  // EINVAL: a file system without folder sync
}

void replace_folder(const std::filesystem::path& fresh, const std::filesystem::path& folder) {
  std::filesystem::path old = fresh;  // after an exchange
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) != 0) {
    old = fresh.string() + ".old";
    std::filesystem::remove_all(old);
    if (std::filesystem::exists(folder) && ::rename(folder.c_str(), old.c_str()) != 0) fail("rename", folder);
    if (::rename(fresh.c_str(), folder.c_str()) != 0) fail("rename to", folder);
  }
  fsync_path(folder.parent_path().empty() ? "." : folder.parent_path());
  std::filesystem::remove_all(old);
}

void create_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw InputError("cannot create the folder {}: {}", path.string(), error.message());
}

std::filesystem::path result_file(const std::string& folder, const char* name) {
  if (folder.empty()) return {};
  auto file = std::filesystem::path(folder) / name;
  if (std::filesystem::is_directory(file))
    throw InputError("{} is a folder; a file is to be written", file.string());
  // What is there already of the folder's path: the rest would be made in it.
  std::filesystem::path there = std::filesystem::absolute(folder);
  std::error_code ignored;  // below a file
  while (!std::filesystem::exists(there, ignored)) there = there.parent_path();
  if (!std::filesystem::is_directory(there))
    throw InputError("--out {}: {} is not a folder", folder, there.string());
  if (::access(there.c_str(), W_OK | X_OK) != 0)
    throw InputError("--out {}: {}: {}", folder, there.string(), std::strerror(errno));
  return file;
}

}  // namespace relmpi
