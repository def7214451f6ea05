#include "data/tokenizers/wordpiece.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "data/tokenizers/wordpiece_text.h"

namespace relmpi {
namespace {

constexpr std::size_t kLongestWord = 100;  // max_input_chars_per_word

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// str.strip() of Python.
std::string stripped(const std::string& text) {
  const auto characters = decode_utf8(text);
  RELMPI_CHECK(characters.has_value(), "a token of the vocabulary is not UTF-8");
  const auto is_space = [](char32_t c) { return split_at_space({c}).empty(); };
  const auto begin = std::ranges::find_if_not(*characters, is_space);
  const auto end = std::find_if_not(characters->rbegin(), characters->rend(), is_space).base();
  return begin < end ? encode_utf8(std::u32string(begin, end)) : "";
}

}  // namespace

Wordpiece::Wordpiece(const Vocabulary& vocabulary, const WordpieceOptions& options)
    : vocabulary_(vocabulary),
      options_(options),
      special_{U"[UNK]", U"[SEP]", U"[PAD]", U"[CLS]", U"[MASK]"} {}

bool Wordpiece::is_special(const std::u32string& word) const {
  return std::ranges::find(special_, word) != special_.end();
}

void Wordpiece::add(Tokens& out, std::int32_t id) const {
  out.ids.push_back(id);
  out.tokens.push_back(vocabulary_.token(id));
}

Tokens Wordpiece::tokenize(const std::string& text) const {
  const auto characters = decode_utf8(text);
  if (!characters)
    throw InputError("the text is not valid UTF-8; convert it, for example with iconv -t UTF-8");
  Tokens out;
  std::u32string plain;
  for (std::size_t i = 0; i < characters->size();) {
    const auto special = std::ranges::find_if(special_, [&](const std::u32string& token) {
      return characters->compare(i, token.size(), token) == 0;
    });
    if (special == special_.end()) {
      plain.push_back((*characters)[i++]);
      continue;
    }
    add_plain(out, plain);
    plain.clear();
    add(out, vocabulary_.find(encode_utf8(*special)));
    i += special->size();
  }
  add_plain(out, plain);
  return out;
}

void Wordpiece::add_plain(Tokens& out, const std::u32string& text) const {
  const auto lowered = options_.lower_case ? lower_each(text) : text;
  for (auto word : split_at_space(compose(space_out_chinese(clean_text(lowered))))) {
    if (is_special(word)) {  // "[MASK]" can come out of cleaning
      add_word(out, word);
      continue;
    }
    if (options_.lower_case) word = strip_accents(lower_each(word));
    for (const auto& part : split_at_punctuation(word)) {
      for (const auto& piece : split_at_space(part)) add_word(out, piece);
    }
  }
}

void Wordpiece::add_word(Tokens& out, const std::u32string& word) const {
  if (word.size() > kLongestWord) return add(out, vocabulary_.unk());
  std::vector<std::int32_t> pieces;
  for (std::size_t begin = 0; begin < word.size();) {
    std::size_t length = word.size() - begin;
    const std::string prefix = begin > 0 ? "##" : "";
    std::int32_t id = -1;
    while (length > 0 && (id = vocabulary_.find(prefix + encode_utf8(word.substr(begin, length)))) < 0)
      --length;
    if (id < 0) return add(out, vocabulary_.unk());
    pieces.push_back(id);
    begin += length;
  }
  for (auto id : pieces) add(out, id);
}

std::string Wordpiece::decode(const std::vector<std::int32_t>& ids) const {
  std::string text;
  for (auto id : ids) {
    if (id < 0 || id >= vocabulary_.size()) {
      throw InputError("id {} is not in the vocabulary (0 to {})", id, vocabulary_.size() - 1);
    }
    if (!text.empty()) text += ' ';
    text += vocabulary_.token(id);
  }
  replace_all(text, " ##", "");
  text = stripped(text);
  constexpr std::array kCleanUp = {std::pair(" .", "."),    std::pair(" ?", "?"),   std::pair(" !", "!"),
                                   std::pair(" ,", ","),    std::pair(" ' ", "'"),  std::pair(" n't", "n't"),
                                   std::pair(" 'm", "'m"),  std::pair(" 's", "'s"), std::pair(" 've", "'ve"),
                                   std::pair(" 're", "'re")};
  for (const auto& [from, to] : kCleanUp) replace_all(text, from, to);
  return text;
}

}  // namespace relmpi
