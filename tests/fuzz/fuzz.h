#pragma once

// What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput: it feeds the bytes to one
// reader of files, lets InputError pass and nothing else, and checks (RELMPI_CHECK ends the process) what
// must hold of everything that was read. libFuzzer runs it (scripts/fuzz), or replay.cpp, which needs no
// clang.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace relmpi::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// A file in a folder of its own, in memory if the system has such a folder, for readers that take a path.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& name);
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  // The whole content from now on; returns the path.
  const std::filesystem::path& fill(std::string_view bytes);
  const std::filesystem::path& path() const { return path_; }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::filesystem::path path_;
  int descriptor_ = -1;
};

// How many inputs (or lines) each reader took and refused. A corpus of which a reader takes nothing tests
// nothing behind it.
struct Verdicts {
  std::uint64_t taken = 0;
  std::uint64_t refused = 0;
};
std::map<std::string, Verdicts>& verdicts();

// What `read` gives; nothing if it refused the input. The text of the refusal must say something.
template <typename Read>
auto accepted(const char* reader, const Read& read) -> std::optional<decltype(read())> {
  Verdicts& count = verdicts()[reader];
  try {
    std::optional<decltype(read())> result(read());
    ++count.taken;
    return result;
  } catch (const InputError& error) {
    ++count.refused;
    RELMPI_CHECK(std::string_view(error.what()).size() > 10, "an error that says nothing");
    return std::nullopt;
  }
}

}  // namespace relmpi::fuzz
