// Confusion sets from the Unihan database (data/spelling/unihan.h).

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <string_view>
#include <utility>

#include "data/spelling/unihan.h"

namespace relmpi {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

constexpr std::array<Pair, 6> kInitials = {
    {{"zh", "z"}, {"ch", "c"}, {"sh", "s"}, {"n", "l"}, {"f", "h"}, {"r", "l"}}};
constexpr std::array<Pair, 6> kFinals = {
    {{"an", "ang"}, {"en", "eng"}, {"in", "ing"}, {"ian", "iang"}, {"uan", "uang"}, {"un", "ong"}}};

// The first letters of a syllable up to its first vowel.
std::size_t initial_length(std::string_view syllable) {
  return std::min(syllable.find_first_of("aeiouv"), syllable.size());
}

constexpr int kFar = 3;

// Characters of `universe` (by place in it) that have each key.
using Index = std::map<std::string, std::vector<std::size_t>>;

// Collects, for one character, places in the universe; then gives the characters in that order, each once.
std::vector<char32_t> characters_at(std::vector<std::size_t> places, std::size_t self,
                                    const std::u32string& universe) {
  std::ranges::sort(places);
  places.erase(std::unique(places.begin(), places.end()), places.end());
  std::vector<char32_t> characters;
  for (auto place : places) {
    if (place != self) characters.push_back(universe[place]);
  }
  return characters;
}

void append(std::vector<std::size_t>& places, const Index& index, const std::string& key) {
  const auto found = index.find(key);
  if (found != index.end()) places.insert(places.end(), found->second.begin(), found->second.end());
}

// The phonetic classes of a character and of its traditional forms.
std::vector<std::string> phonetic_classes(const Unihan& unihan, const UnihanCharacter& character) {
  auto classes = character.phonetics;
  for (char32_t variant : character.traditional) {
    const auto found = unihan.find(variant);
    if (found != unihan.end())
      classes.insert(classes.end(), found->second.phonetics.begin(), found->second.phonetics.end());
  }
  return classes;
}

bool four_corners_agree(const UnihanCharacter& a, const UnihanCharacter& b) {
  for (const auto& x : a.four_corners) {
    for (const auto& y : b.four_corners) {
      int equal = 0;
      for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) equal += x[i] == y[i] ? 1 : 0;
      if (equal >= 2) return true;
    }
  }
  return false;
}

}  // namespace

std::vector<std::string> similar_syllables(const std::string& syllable) {
  const auto cut = initial_length(syllable);
  const auto initial = syllable.substr(0, cut);
  const auto final = syllable.substr(cut);
  std::vector<std::string> similar;
  for (const auto& [a, b] : kInitials) {
    if (initial == a) similar.push_back(std::string(b) + final);
    if (initial == b) similar.push_back(std::string(a) + final);
  }
  for (const auto& [a, b] : kFinals) {
    if (final == a) similar.push_back(initial + std::string(b));
    if (final == b) similar.push_back(initial + std::string(a));
  }
  return similar;
}

int edit_distance_up_to_2(const std::string& a, const std::string& b) {
  if (std::abs(static_cast<long>(a.size()) - static_cast<long>(b.size())) >= kFar) return kFar;
  constexpr std::size_t kLongest = 15;
  if (a.size() > kLongest || b.size() > kLongest) return a == b ? 0 : kFar;  // no Cangjie code is that long
  std::array<int, kLongest + 1> row{};
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return std::min(row[b.size()], kFar);
}

bool similar_shape(const UnihanCharacter& a, const UnihanCharacter& b) {
  for (const auto& x : a.cangjie) {
    for (const auto& y : b.cangjie) {
      const int distance = edit_distance_up_to_2(x, y);
      if (distance <= 1) return true;
      if (distance == 2 && (x.front() == y.front() || x.back() == y.back()) &&
          std::abs(a.strokes - b.strokes) <= 4 && four_corners_agree(a, b)) {
        return true;
      }
    }
  }
  return false;
}

ConfusionSet confusion_from_unihan(const Unihan& unihan, const std::u32string& universe) {
  const UnihanCharacter unknown;
  std::vector<const UnihanCharacter*> facts;
  Index by_syllable, by_phonetic;
  for (std::size_t i = 0; i < universe.size(); ++i) {
    const auto found = unihan.find(universe[i]);
    facts.push_back(found == unihan.end() ? &unknown : &found->second);
    for (const auto& syllable : facts[i]->syllables) by_syllable[syllable].push_back(i);
    for (const auto& phonetic : phonetic_classes(unihan, *facts[i])) by_phonetic[phonetic].push_back(i);
  }
  std::vector<std::vector<std::size_t>> shapes(universe.size());
  for (std::size_t i = 0; i < universe.size(); ++i) {
    for (std::size_t j = i + 1; j < universe.size(); ++j) {
      if (!similar_shape(*facts[i], *facts[j])) continue;
      shapes[i].push_back(j);
      shapes[j].push_back(i);
    }
  }
  ConfusionSet set;
  const auto keep = [&](ConfusionSet::Lists& lists, std::size_t i, std::vector<std::size_t> places) {
    auto characters = characters_at(std::move(places), i, universe);
    if (!characters.empty()) lists.emplace(universe[i], std::move(characters));
  };
  for (std::size_t i = 0; i < universe.size(); ++i) {
    std::vector<std::size_t> same, similar;
    for (const auto& syllable : facts[i]->syllables) {
      append(same, by_syllable, syllable);
      for (const auto& other : similar_syllables(syllable)) append(similar, by_syllable, other);
    }
    std::erase_if(similar, [&](std::size_t place) { return std::ranges::find(same, place) != same.end(); });
    for (const auto& phonetic : phonetic_classes(unihan, *facts[i])) append(shapes[i], by_phonetic, phonetic);
    keep(set.same_sound, i, std::move(same));
    keep(set.similar_sound, i, std::move(similar));
    keep(set.similar_shape, i, std::move(shapes[i]));
  }
  return set;
}

}  // namespace relmpi
