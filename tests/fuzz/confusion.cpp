// A confusion set in our own format, the same bytes as the lists of another program, and as a list of
// characters: data/spelling/confusion.h.

#include "data/spelling/confusion.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/files.h"
#include "tests/fuzz/fuzz.h"

namespace relmpi {
namespace {

void check_list(const std::vector<char32_t>& list, char32_t key) {
  const std::set<char32_t> different(list.begin(), list.end());
  RELMPI_CHECK(different.size() == list.size(), "a character is there twice");
  RELMPI_CHECK(!different.contains(key) && !different.contains(0), "the key, or no character");
}

void check_lists(const ConfusionSet::Lists& lists) {
  for (const auto& [key, list] : lists) {
    RELMPI_CHECK(key != 0, "no character as key");
    check_list(list, key);
  }
}

void check_set(const ConfusionSet& set, const std::string& text) {
  const auto document = nlohmann::json::parse(text);
  for (const auto kind : {ErrorKind::kSameSound, ErrorKind::kSimilarSound, ErrorKind::kSimilarShape}) {
    check_lists(set.lists(kind));
    const char* name = kErrorKindNames[static_cast<std::size_t>(kind)];
    RELMPI_CHECK(document.at(name).size() == set.lists(kind).size(), "{} lists of {}", set.lists(kind).size(),
                 name);
  }
  RELMPI_CHECK(document.at("counts").size() == set.counts.size(), "{} counts", set.counts.size());
  check_list(set.frequent, 0);
  for (const auto& [character, count] : set.counts)
    RELMPI_CHECK(character != 0 && count >= 0, "count {}", count);
  static fuzz::ScratchFile file("again.json");
  set.save(file.path());
  const auto again = ConfusionSet::load(file.path());
  RELMPI_CHECK(again.same_sound == set.same_sound && again.similar_sound == set.similar_sound &&
                   again.similar_shape == set.similar_shape,
               "other lists when read again");
  RELMPI_CHECK(again.frequent == set.frequent && again.counts == set.counts, "others when read again");
}

// What was dropped is counted: nothing gets lost.
void check_import(const ConfusionSet::Lists& lists, const Dropped& report, const std::string& text) {
  check_lists(lists);
  const auto kept = summarise(lists).candidates;
  std::int64_t entries = 0, keys = 0;
  const auto document = nlohmann::json::parse(text);
  for (const auto& [key, list] : document.items()) {
    ++keys;
    entries += static_cast<std::int64_t>(list.size());
  }
  const std::int64_t dropped = report.duplicates + report.self + report.not_one;
  RELMPI_CHECK(kept <= entries && entries + keys >= kept + dropped, "{} of {}", kept, entries);
  if (report.not_one == 0) RELMPI_CHECK(kept + dropped == entries, "{} + {} of {}", kept, dropped, entries);
}

}  // namespace
}  // namespace relmpi

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relmpi;
  static fuzz::ScratchFile file("confusion.json");
  const std::string text(fuzz::text_of(data, size));
  const auto& path = file.fill(text);
  if (const auto set = fuzz::accepted("confusion set", [&] { return ConfusionSet::load(path); }))
    check_set(*set, text);
  if (const auto imported = fuzz::accepted("lists", [&] { return import_lists(path); }))
    check_import(imported->lists, imported->dropped, text);
  const auto [characters, lines] = import_characters(path);
  check_list(characters, 0);
  const auto count = static_cast<std::int64_t>(characters.size());
  RELMPI_CHECK(count + lines.duplicates + lines.not_one == static_cast<std::int64_t>(read_lines(path).size()),
               "{} characters", count);
  return 0;
}
