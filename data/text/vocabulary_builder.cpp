#include "data/text/vocabulary_builder.h"

#include "base/error.h"
#include "base/units.h"
#include "base/utf8.h"
#include "data/text/characters.h"

namespace relmpi {

void VocabularyOptions::validate() const {
  demand(min_han >= 1, "--min-han", min_han, "at least 1");
  demand(min_other >= 1, "--min-other", min_other, "at least 1");
}

double BuiltVocabulary::coverage() const { return ratio(covered, characters); }

double BuiltVocabulary::unk_share() const { return characters == 0 ? 0 : 1 - coverage(); }

BuiltVocabulary build_vocabulary(const CharacterCounts& counts, const VocabularyOptions& options) {
  options.validate();
  BuiltVocabulary built;
  for (const char* token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    built.bytes += token;
    built.bytes += '\n';
    ++built.size;
  }
  const auto not_blank = [](char32_t c) { return !is_space(c) && !is_control(c); };
  for (char32_t character : by_falling_count(counts, not_blank)) {
    const auto count = counts[character];
    const bool han = is_han(character);
    built.characters += count;
    ++built.distinct;
    if (count < (han ? options.min_han : options.min_other)) continue;
    append_utf8(built.bytes, character);
    built.bytes += '\n';
    built.covered += count;
    ++built.size;
    built.han += han ? 1 : 0;
  }
  return built;
}

}  // namespace relmpi
