#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace relmpi {

// A token that is found in the text before anything else (Hugging Face's AddedToken).
struct AddedToken {
  std::int32_t id = 0;
  std::string content;
  bool special = false;
  bool single_word = false;  // only if no letter or digit touches it
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // takes the white space behind it
  bool normalized = false;   // looked for in the text after normalisation

  bool operator==(const AddedToken&) const = default;
};

// Finds added tokens: the leftmost, of those that begin at one place the longest. White space that two of
// them want goes to the first.
class AddedTokenFinder {
 public:
  // Contents that are empty are not looked for.
  explicit AddedTokenFinder(std::vector<AddedToken> tokens);

  // Calls `sink` for each stretch of the text from the left: with the token that it is, or with nullptr for
  // what is between tokens; none of those is empty. With `special` false, special tokens are text like any
  // other. The text must be valid UTF-8.
  void split(std::string_view text, bool special,
             const std::function<void(std::string_view stretch, const AddedToken* token)>& sink) const;

  bool empty() const { return tokens_.empty(); }

 private:
  // The longest token that begins at a place; nullptr if there is none.
  const AddedToken* longest_at(std::string_view text, std::size_t at) const;

  std::vector<AddedToken> tokens_;
  // A tree of bytes: (node * 256 + byte) -> node, and the token that ends at each node (or -1).
  std::unordered_map<std::uint64_t, std::uint32_t> children_;
  std::vector<std::int32_t> token_at_;
  bool first_byte_[256] = {};
};

}  // namespace relmpi
