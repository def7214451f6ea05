#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace relmpi {

// One line of a text for people: without the '\r' of a Windows line end and, the first, without a byte order
// mark. Throws InputError that begins with `source` (file:line) if it is not UTF-8, with the encoding that
// it seems to be and how to convert it.
std::string checked_line(std::string line, const std::string& source, bool first);

// The lines of a file, each checked; what else is in UTF-16 is named before a line is cut. Throws InputError.
std::vector<std::string> read_text_lines(const std::filesystem::path& file);

// A whole file as UTF-8 without a byte order mark. Throws InputError as read_text_lines does.
std::string read_text(const std::filesystem::path& file);

}  // namespace relmpi
