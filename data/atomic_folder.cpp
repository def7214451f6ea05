#include "data/atomic_folder.h"

#include <unistd.h>

#include <system_error>

#include "base/error.h"
#include "base/files.h"

namespace relmpi {
namespace {

std::filesystem::path beside(const std::filesystem::path& path, const char* kind) {
  return path.string() + kind + std::to_string(::getpid());
}

void rename_folder(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code error;
  std::filesystem::rename(from, to, error);
  if (error) throw RuntimeError("cannot rename {} to {}: {}", from.string(), to.string(), error.message());
}

}  // namespace

AtomicFolder::AtomicFolder(const std::filesystem::path& path)
    : path_(std::filesystem::absolute(path).lexically_normal()), temporary_(beside(path_, ".tmp.")) {
  for (auto parent = path_.parent_path(); !std::filesystem::exists(parent); parent = parent.parent_path()) {
    made_parents_.push_back(parent);
  }
  std::filesystem::remove_all(temporary_);
  create_folder(temporary_);
}

AtomicFolder::~AtomicFolder() {
  if (committed_) return;
  std::error_code ignored;
  std::filesystem::remove_all(temporary_, ignored);
  for (const auto& parent : made_parents_) std::filesystem::remove(parent, ignored);  // where empty
}

void AtomicFolder::commit() {
  fsync_path(temporary_);
  const std::filesystem::path old = beside(path_, ".old.");
  const bool replaces = std::filesystem::exists(path_);
  if (replaces) rename_folder(path_, old);
  rename_folder(temporary_, path_);
  committed_ = true;
  fsync_path(path_.parent_path());
  if (replaces) std::filesystem::remove_all(old);
}

}  // namespace relmpi
