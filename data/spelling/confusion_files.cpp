// Reading and writing of confusion sets (data/spelling/confusion.h).

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/utf8.h"
#include "data/spelling/confusion.h"

namespace relmpi {
namespace {

using Json = nlohmann::json;

constexpr int kFormatVersion = 1;

// The one character that `text` is, or 0.
char32_t one_character(const std::string& text) {
  const auto characters = decode_utf8(text);
  return characters && characters->size() == 1 ? characters->front() : 0;
}

// Reads the parts of our own format; each error names the file and the entry.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path)
      : name_(path.string()), document_(parse_json(read_file(path), name_)) {
    if (!document_.is_object() || document_.value("format_version", Json()) != kFormatVersion) {
      throw InputError(
          "{}: no confusion set of format_version {}; make one with `relmpi-data confusion` (lists of other "
          "programs: --import-same, --import-similar, --import-shape)",
          name_, kFormatVersion);
    }
  }

  ConfusionSet::Lists lists(const char* kind) const {
    ConfusionSet::Lists out;
    for (const auto& [key, value] : part(kind, Json::value_t::object).items()) {
      const auto source = std::string(kind) + "." + key;
      auto list = characters(source, value);
      if (std::ranges::find(list, character(source, key)) != list.end()) {
        throw InputError("{}: {}: the character is in its own list", name_, source);
      }
      out.emplace(character(source, key), std::move(list));
    }
    return out;
  }

  std::vector<char32_t> frequent() const {
    return characters("frequent", part("frequent", Json::value_t::string));
  }

  std::unordered_map<char32_t, std::int64_t> counts() const {
    std::unordered_map<char32_t, std::int64_t> out;
    for (const auto& [key, value] : part("counts", Json::value_t::object).items()) {
      const auto source = "counts." + key;
      if (!is_whole_number(value) || value.get<std::int64_t>() < 0) {
        throw InputError("{}: {}: {} is not a count", name_, source, value.dump());
      }
      out.emplace(character(source, key), value.get<std::int64_t>());
    }
    return out;
  }

 private:
  const Json& part(const char* kind, Json::value_t type) const {
    const auto found = document_.find(kind);
    if (found == document_.end() || found->type() != type) {
      throw InputError("{}: '{}' is missing or of another type", name_, kind);
    }
    return *found;
  }

  char32_t character(const std::string& source, const std::string& key) const {
    const char32_t result = one_character(key);
    if (result == 0) throw InputError("{}: {}: '{}' is not one character", name_, source, key);
    return result;
  }

  std::vector<char32_t> characters(const std::string& source, const Json& value) const {
    if (!value.is_string()) throw InputError("{}: {}: a string of characters is needed", name_, source);
    const auto text = decode_utf8(value.get<std::string>()).value_or(U"");
    std::unordered_set<char32_t> seen;
    for (char32_t c : text) {
      if (c == 0) throw InputError("{}: {}: U+0000 cannot be written", name_, source);
      if (!seen.insert(c).second)
        throw InputError("{}: {}: {} appears twice", name_, source, encode_utf8({&c, 1}));
    }
    return {text.begin(), text.end()};
  }

  std::string name_;
  Json document_;
};

std::string text_of(const std::vector<char32_t>& characters) {
  return encode_utf8({characters.data(), characters.size()});
}

Json lists_json(const ConfusionSet::Lists& lists) {
  auto out = Json::object();
  for (const auto& [key, list] : lists) out[encode_utf8({&key, 1})] = text_of(list);
  return out;
}

}  // namespace

ConfusionSet ConfusionSet::load(const std::filesystem::path& path) {
  const Reader reader(path);
  ConfusionSet set;
  for (auto kind : {ErrorKind::kSameSound, ErrorKind::kSimilarSound, ErrorKind::kSimilarShape}) {
    set.lists(kind) = reader.lists(kErrorKindNames[static_cast<std::size_t>(kind)]);
  }
  set.frequent = reader.frequent();
  set.counts = reader.counts();
  return set;
}

void ConfusionSet::save(const std::filesystem::path& path) const {
  Json document = {{"format_version", kFormatVersion}, {"frequent", text_of(frequent)}};
  for (auto kind : {ErrorKind::kSameSound, ErrorKind::kSimilarSound, ErrorKind::kSimilarShape}) {
    document[kErrorKindNames[static_cast<std::size_t>(kind)]] = lists_json(lists(kind));
  }
  auto numbers = Json::object();
  for (const auto& [character, number] : counts) numbers[encode_utf8({&character, 1})] = number;
  document["counts"] = std::move(numbers);
  write_file_atomic(path, document.dump(0) + "\n");
}

ImportedLists import_lists(const std::filesystem::path& path) {
  const auto document = parse_json(read_file(path), path.string());
  if (!document.is_object())
    throw InputError("{}: a JSON object {{\"字\": [\"自\", ...]}} is needed", path.string());
  ImportedLists imported;
  auto& [lists, dropped] = imported;
  for (const auto& [key, entries] : document.items()) {
    const char32_t meant = one_character(key);
    if (meant == 0) {
      ++dropped.not_one;
      continue;
    }
    if (!entries.is_array()) throw InputError("{}: '{}': a list of characters is needed", path.string(), key);
    auto& list = lists[meant];
    std::unordered_set<char32_t> seen;
    for (const auto& entry : entries) {
      const char32_t written = entry.is_string() ? one_character(entry.get<std::string>()) : 0;
      if (written == 0) {
        ++dropped.not_one;
      } else if (written == meant) {
        ++dropped.self;
      } else if (!seen.insert(written).second) {
        ++dropped.duplicates;
      } else {
        list.push_back(written);
      }
    }
  }
  return imported;
}

ImportedCharacters import_characters(const std::filesystem::path& path) {
  ImportedCharacters imported;
  auto& [characters, dropped] = imported;
  std::unordered_set<char32_t> seen;
  for (const auto& line : read_lines(path)) {
    const char32_t character = one_character(line);
    if (character == 0) {
      ++dropped.not_one;
    } else if (!seen.insert(character).second) {
      ++dropped.duplicates;
    } else {
      characters.push_back(character);
    }
  }
  return imported;
}

}  // namespace relmpi
