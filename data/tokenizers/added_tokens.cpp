#include "data/tokenizers/added_tokens.h"

#include <unicode/uchar.h>

#include <algorithm>

#include "base/utf8.h"
#include "data/tokenizers/character_classes.h"

namespace relmpi {
namespace {

std::size_t before(std::string_view text, std::size_t at) {
  do --at;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  return at;
}

bool is_space(std::string_view text, std::size_t at) {
  return (character_classes()[utf8_step(text, at).character] & kSpace) != 0;
}

// \w of Unicode's regular expressions (Technical Standard 18, annex C).
bool is_word(std::string_view text, std::size_t at) {
  const auto c = static_cast<UChar32>(utf8_step(text, at).character);
  return u_hasBinaryProperty(c, UCHAR_ALPHABETIC) || u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL) ||
         (U_GET_GC_MASK(c) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0;
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  const bool word_before = begin > 0 && is_word(text, before(text, begin));
  return !word_before && !(end < text.size() && is_word(text, end));
}

}  // namespace

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> tokens)
    : tokens_(std::move(tokens)), token_at_(1, -1) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const std::string& content = tokens_[i].content;
    if (content.empty()) continue;
    first_byte_[static_cast<unsigned char>(content[0])] = true;
    std::uint32_t node = 0;
    for (const char c : content) {
      const std::uint64_t edge = std::uint64_t{node} * 256 + static_cast<unsigned char>(c);
      const auto [child, fresh] = children_.try_emplace(edge, static_cast<std::uint32_t>(token_at_.size()));
      if (fresh) token_at_.push_back(-1);
      node = child->second;
    }
    if (token_at_[node] < 0) token_at_[node] = static_cast<std::int32_t>(i);
  }
}

const AddedToken* AddedTokenFinder::longest_at(std::string_view text, std::size_t at) const {
  const AddedToken* longest = nullptr;
  std::uint32_t node = 0;
  for (; at < text.size(); ++at) {
    const auto child = children_.find(std::uint64_t{node} * 256 + static_cast<unsigned char>(text[at]));
    if (child == children_.end()) break;
    node = child->second;
    if (token_at_[node] >= 0) longest = &tokens_[static_cast<std::size_t>(token_at_[node])];
  }
  return longest;
}

void AddedTokenFinder::split(std::string_view text, bool special,
                             const std::function<void(std::string_view, const AddedToken*)>& sink) const {
  std::size_t done = 0;  // what lies before has been given out
  for (std::size_t at = 0; at < text.size();) {
    const AddedToken* token =
        first_byte_[static_cast<unsigned char>(text[at])] ? longest_at(text, at) : nullptr;
    if (token == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at, end = at + token->content.size();
    at = end;
    if (token->special && !special) continue;
    if (token->single_word && !stands_alone(text, begin, end)) continue;
    if (token->rstrip)
      while (end < text.size() && is_space(text, end)) end += utf8_step(text, end).length;
    if (token->lstrip) {
      while (begin > done && is_space(text, before(text, begin))) begin = before(text, begin);
      // The token before may have taken the spaces that this one is made of. One without lstrip is given out
      // all the same, as Hugging Face does it.
      begin = std::max(begin, done);
      if (begin >= end) continue;
    }
    if (done < begin) sink(text.substr(done, begin - done), nullptr);
    sink(text.substr(begin, end - begin), token);
    done = end;
  }
  if (done < text.size()) sink(text.substr(done), nullptr);
}

}  // namespace relmpi
