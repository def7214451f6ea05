#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace relmpi {

// Arrays and objects inside each other, at most: copying, comparing and printing a document goes down by
// recursion, so that a deeper one could use up the stack.
constexpr int kJsonDepth = 64;

// The JSON document that a file holds; `name` is the file's, for the error. Throws InputError for what is not
// JSON, for more than kJsonDepth levels, and for a key that one object has twice (one of the two would be
// dropped in silence).
nlohmann::json parse_json(std::string_view bytes, const std::string& name);
// The same with the keys in the file's order.
nlohmann::ordered_json parse_ordered_json(std::string_view bytes, const std::string& name);

// Whether it is an integer that std::int64_t holds. The library's own conversion takes fractions and numbers
// beyond the range as well, and for the latter the result is undefined.
bool is_whole_number(const nlohmann::json& value);

// Prints the document and a newline on stdout: on one line, or with this indentation. Bytes that are no
// UTF-8, as a file's name may have, are replaced.
void print_json(const nlohmann::ordered_json& document, int indent = -1);

}  // namespace relmpi
