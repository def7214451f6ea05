#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What Python's str does, on UTF-8 text.
namespace relmpi::jinja {

// Each character's bytes.
std::vector<std::string_view> characters(std::string_view text);

bool is_space(char32_t character);  // str.isspace
bool is_space_at(std::string_view text, std::size_t at);

// str.strip and its sides: white space, or the characters of `of`.
std::string_view strip(std::string_view text, bool left, bool right,
                       const std::optional<std::string>& of = {});

std::string upper(const std::string& text);
std::string lower(const std::string& text);
std::string title(const std::string& text);
std::string capitalize(const std::string& text);

// str.split and str.rsplit; no separator: at white space. `most` < 0: no limit.
std::vector<std::string> split(std::string_view text, const std::optional<std::string>& separator,
                               std::int64_t most, bool from_right);
std::vector<std::string> split_lines(std::string_view text, bool keep_ends);

// repr of a text.
std::string quoted(const std::string& text);

}  // namespace relmpi::jinja
