#include "base/atomic_folder.h"

#include <unistd.h>

#include <system_error>

#include "base/error.h"
#include "base/files.h"

namespace relmpi {

AtomicFolder::AtomicFolder(const std::filesystem::path& path)
    : path_(std::filesystem::absolute(path).lexically_normal()),
      temporary_(path_.string() + ".tmp." + std::to_string(::getpid())) {
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
  for (const auto& parent : made_parents_) std::filesystem::remove(parent, ignored);  // if empty
}

void AtomicFolder::commit() {
  fsync_path(temporary_);
  replace_folder(temporary_, path_);
  committed_ = true;
}

}  // namespace relmpi
