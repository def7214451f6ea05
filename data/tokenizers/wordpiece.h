#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/text/vocabulary.h"

namespace relmpi {

struct WordpieceOptions {
  bool lower_case = false;  // letters to lower case and accents away, as uncased models want it
};

struct Tokens {
  std::vector<std::int32_t> ids;
  std::vector<std::string> tokens;
};

// WordPiece (Devlin et al. 2019) with the results of Hugging Face's BertTokenizer (the Python class of
// transformers 4), for any text: control characters go, Chinese characters and punctuation stand alone, words
// are cut greedily into the longest pieces of the vocabulary, words above 100 characters are [UNK], and [UNK]
// [SEP] [PAD] [CLS] [MASK] stay whole where they appear in the text. Unicode categories are ICU's (Unicode 15
// on Debian 12).
class Wordpiece {
 public:
  // Keeps a reference to the vocabulary.
  explicit Wordpiece(const Vocabulary& vocabulary, const WordpieceOptions& options = {});

  // The tokens of a text, without [CLS] and [SEP] around them. Throws InputError when it is not valid UTF-8.
  Tokens tokenize(const std::string& text) const;

  // Text of ids: tokens with a space between them, none before "##" pieces, and none before English
  // punctuation (the tokenizer's clean_up_tokenization_spaces). Throws InputError for an id outside the
  // vocabulary.
  std::string decode(const std::vector<std::int32_t>& ids) const;

 private:
  void add_plain(Tokens& out, const std::u32string& text) const;
  void add_word(Tokens& out, const std::u32string& word) const;
  void add(Tokens& out, std::int32_t id) const;
  bool is_special(const std::u32string& word) const;

  const Vocabulary& vocabulary_;
  WordpieceOptions options_;
  std::array<std::u32string, 5> special_;
};

}  // namespace relmpi
