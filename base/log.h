#pragma once

#include <spdlog/spdlog.h>

#include <filesystem>
#include <string>

namespace relmpi {

// Log lines go to stderr, so that stdout holds results alone. Use spdlog::info, warn, error.
// With a `size` above 1 each line has its rank. Ranks other than 0 show warnings and errors only.
void start_log(int rank, int size);

// Copies what is logged from now on to a file as well (RUN/log.txt), appended.
void log_to_file(const std::filesystem::path& path);

}  // namespace relmpi
