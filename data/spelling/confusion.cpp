#include "data/spelling/confusion.h"

#include <algorithm>
#include <unordered_set>

#include "base/error.h"

namespace relmpi {
namespace {

constexpr std::array kListKinds = {ErrorKind::kSameSound, ErrorKind::kSimilarSound, ErrorKind::kSimilarShape};

void append_missing(std::vector<char32_t>& list, const std::vector<char32_t>& more) {
  std::unordered_set<char32_t> present(list.begin(), list.end());
  for (char32_t character : more) {
    if (present.insert(character).second) list.push_back(character);
  }
}

bool holds(const ConfusionSet::Lists& lists, char32_t key, char32_t character) {
  const auto found = lists.find(key);
  return found != lists.end() && std::ranges::find(found->second, character) != found->second.end();
}

}  // namespace

ConfusionSet::Lists& ConfusionSet::lists(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kSameSound:
      return same_sound;
    case ErrorKind::kSimilarSound:
      return similar_sound;
    default:
      break;
  }
  RELMPI_CHECK(kind == ErrorKind::kSimilarShape, "the frequent characters are one list for all");
  return similar_shape;
}

const ConfusionSet::Lists& ConfusionSet::lists(ErrorKind kind) const {
  return const_cast<ConfusionSet*>(this)->lists(kind);
}

std::int64_t ConfusionSet::count(char32_t character) const {
  const auto found = counts.find(character);
  return found == counts.end() ? 0 : found->second;
}

void ConfusionSet::sort_by_count() {
  const auto sort = [&](std::vector<char32_t>& list) {
    std::ranges::stable_sort(list, [&](char32_t a, char32_t b) { return count(a) > count(b); });
  };
  for (auto kind : kListKinds) {
    for (auto& [key, list] : lists(kind)) sort(list);
  }
  sort(frequent);
}

void ConfusionSet::limit(const std::array<std::int64_t, kErrorKinds>& limits) {
  const auto cut = [&](std::vector<char32_t>& list, ErrorKind kind) {
    const auto most = static_cast<std::size_t>(limits[static_cast<std::size_t>(kind)]);
    if (most > 0 && list.size() > most) list.resize(most);
  };
  for (auto kind : kListKinds) {
    for (auto& [key, list] : lists(kind)) cut(list, kind);
  }
  cut(frequent, ErrorKind::kFrequent);
}

void ConfusionSet::unite(const ConfusionSet& other) {
  for (auto kind : kListKinds) {
    for (const auto& [key, list] : other.lists(kind)) append_missing(lists(kind)[key], list);
  }
  append_missing(frequent, other.frequent);
  for (const auto& [character, number] : other.counts) counts.emplace(character, number);
}

KindSummary summarise(const ConfusionSet::Lists& lists) {
  KindSummary summary;
  for (const auto& [key, list] : lists) {
    summary.characters += list.empty() ? 0 : 1;
    summary.candidates += static_cast<std::int64_t>(list.size());
  }
  return summary;
}

Recovery recovered(const ConfusionSet& wanted, const ConfusionSet& found, ErrorKind kind,
                   const std::u32string& universe) {
  const std::unordered_set<char32_t> inside(universe.begin(), universe.end());
  Recovery recovery;
  for (const auto& [key, list] : wanted.lists(kind)) {
    if (!inside.contains(key)) continue;
    for (char32_t character : list) {
      if (!inside.contains(character)) continue;
      ++recovery.pairs;
      const bool same_kind = holds(found.lists(kind), key, character);
      recovery.by_kind += same_kind ? 1 : 0;
      // `meant`: clang 14 cannot capture a structured binding.
      const auto in_list = [&, meant = key](ErrorKind other) {
        return holds(found.lists(other), meant, character);
      };
      recovery.by_any += same_kind || std::ranges::any_of(kListKinds, in_list) ? 1 : 0;
    }
  }
  return recovery;
}

}  // namespace relmpi
