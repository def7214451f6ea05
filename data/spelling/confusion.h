#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

namespace relmpi {

// The kinds of spelling error, in the order of every array over kinds.
enum class ErrorKind : int { kSameSound = 0, kSimilarSound = 1, kSimilarShape = 2, kFrequent = 3 };
constexpr int kErrorKinds = 4;
constexpr std::array<const char*, kErrorKinds> kErrorKindNames = {"same_sound", "similar_sound",
                                                                  "similar_shape", "frequent"};

// For each Chinese character, the characters that writers confuse it with.
struct ConfusionSet {
  using Lists = std::unordered_map<char32_t, std::vector<char32_t>>;

  Lists same_sound;     // same syllable whatever the tone
  Lists similar_sound;  // zh/z, n/l, an/ang, ...
  Lists similar_shape;
  std::vector<char32_t> frequent;                     // characters that may stand for any other
  std::unordered_map<char32_t, std::int64_t> counts;  // how often characters occur in text; may be empty

  // The lists of kSameSound, kSimilarSound or kSimilarShape.
  Lists& lists(ErrorKind kind);
  const Lists& lists(ErrorKind kind) const;
  // How often the character occurs; 0 if it was not counted.
  std::int64_t count(char32_t character) const;

  // Puts each list, and `frequent`, in order of falling count (equal counts keep their order).
  void sort_by_count();
  // Cuts each list of a kind to its first `limits[kind]` characters; 0 leaves it whole.
  void limit(const std::array<std::int64_t, kErrorKinds>& limits);
  // Adds what `other` has and this one lacks, behind what is here.
  void unite(const ConfusionSet& other);

  // Reads what save() wrote. Throws InputError naming file and entry for another format, a key or count that
  // is not right, an entry that holds its own key, or a character twice in one list.
  static ConfusionSet load(const std::filesystem::path& path);
  // One JSON document, keys in order of code point, a list as one string:
  //   {"format_version":1,"same_sound":{"字":"自子"},"similar_sound":{..},"similar_shape":{..},"frequent":"的一",
  //    "counts":{"的":1234}}
  void save(const std::filesystem::path& path) const;
};

// What importing lists of other programs dropped.
struct Dropped {
  std::int64_t duplicates = 0;  // a character for the second time in one list
  std::int64_t self = 0;        // the character itself in its own list
  std::int64_t not_one = 0;     // an entry or key that is not one character
};

struct ImportedLists {
  ConfusionSet::Lists lists;
  Dropped dropped;
};
// Reads {"字":["自","子"], ...}. Throws InputError when the file is not such JSON.
ImportedLists import_lists(const std::filesystem::path& path);

struct ImportedCharacters {
  std::vector<char32_t> characters;
  Dropped dropped;
};
// Reads one character a line. Throws InputError when the file cannot be read.
ImportedCharacters import_characters(const std::filesystem::path& path);

// What one kind of a confusion set holds.
struct KindSummary {
  std::int64_t characters = 0;  // characters with at least one candidate
  std::int64_t candidates = 0;  // over all characters
};
KindSummary summarise(const ConfusionSet::Lists& lists);

// How much of `wanted` is found: its pairs (x, y) with both characters in `universe`, and those of them that
// `found` holds.
struct Recovery {
  std::int64_t pairs = 0;
  std::int64_t by_kind = 0;  // found under the same kind
  std::int64_t by_any = 0;   // found under any kind
};
Recovery recovered(const ConfusionSet& wanted, const ConfusionSet& found, ErrorKind kind,
                   const std::u32string& universe);

}  // namespace relmpi
