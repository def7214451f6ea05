#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "data/spelling/confusion.h"

namespace relmpi {

// What Unicode's Unihan database (UAX #38) says of a character, as far as confusion sets need it.
struct UnihanCharacter {
  std::vector<std::string>
      syllables;  // toneless pinyin ("lv" for lǜ) of kMandarin, kHanyuPinlu, kXHC1983, kTGHZ2013
  std::vector<std::string> cangjie;       // kCangjie: keys of the Cangjie input method
  std::vector<std::string> four_corners;  // kFourCornerCode: first four digits
  std::vector<std::string> phonetics;     // kPhonetic: classes of characters with one phonetic part
  std::vector<char32_t> traditional;      // kTraditionalVariant
  int strokes = 0;                        // kTotalStrokes
};

using Unihan = std::unordered_map<char32_t, UnihanCharacter>;

// Reads Unihan_{Readings,DictionaryLikeData,IRGSources,Variants}.txt, plain or as .txt.bz2 (so Debian's
// package unicode-data has them, in usr/share/unicode). `folder` is the one that holds them, or one that
// `dpkg -x` unpacked the package to. Throws InputError when one is missing or damaged.
Unihan load_unihan(const std::filesystem::path& folder);

// Pinyin with tone marks or digits to the toneless syllable in ASCII: "lǜ" -> "lv", "xíng" -> "xing".
std::string toneless(const std::string& pinyin);

// The syllables that sound similar to a toneless one by one substitution, of the initial (zh/z ch/c sh/s n/l
// f/h r/l) or of the final (an/ang en/eng in/ing ian/iang uan/uang un/ong). Not all of them exist.
std::vector<std::string> similar_syllables(const std::string& syllable);

// Edits (insertion, deletion, substitution) that turn one word into the other; values above 2 are given as 3.
int edit_distance_up_to_2(const std::string& a, const std::string& b);

// Cangjie codes at distance <= 1; or at distance <= 2 with at least 2 of the 4 four-corner digits equal, the
// same first or last code, and stroke counts at most 4 apart.
bool similar_shape(const UnihanCharacter& a, const UnihanCharacter& b);

// The confusion set among the characters of `universe`, whole (no limits), lists in the order of `universe`;
// no frequent characters and no counts. Similar shapes hold also the characters of one phonetic class (a
// character's own or its traditional form's).
ConfusionSet confusion_from_unihan(const Unihan& unihan, const std::u32string& universe);

}  // namespace relmpi
