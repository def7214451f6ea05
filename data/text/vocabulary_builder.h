#pragma once

#include <cstdint>
#include <string>

#include "data/text/sentence_files.h"

namespace relmpi {

struct VocabularyOptions {
  std::int64_t min_han = 2;     // a Chinese character enters the vocabulary from this count on
  std::int64_t min_other = 15;  // any other character

  void validate() const;  // throws InputError
};

struct BuiltVocabulary {
  std::string bytes;            // the file: one token a line
  std::int64_t size = 0;        // tokens, the five special ones too
  std::int64_t han = 0;         // Chinese characters among them
  std::int64_t distinct = 0;    // different characters of the text (letters in lower case)
  std::int64_t characters = 0;  // characters of the text
  std::int64_t covered = 0;     // characters of the text that have a token; the others are [UNK]

  double coverage() const;
  double unk_share() const;
};

// [PAD] [UNK] [CLS] [SEP] [MASK], then the characters that occur often enough, by falling count, ties by code
// point. White space and control characters are never tokens. `counts`: from count_characters.
BuiltVocabulary build_vocabulary(const CharacterCounts& counts, const VocabularyOptions& options);

}  // namespace relmpi
