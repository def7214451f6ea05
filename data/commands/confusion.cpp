#include "data/spelling/confusion.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/units.h"
#include "data/commands/commands.h"
#include "data/spelling/unihan.h"
#include "data/text/characters.h"
#include "data/text/sentence_files.h"

namespace relmpi {
namespace {

using Json = nlohmann::ordered_json;
using Path = std::filesystem::path;

constexpr std::array kListKinds = {ErrorKind::kSameSound, ErrorKind::kSimilarSound, ErrorKind::kSimilarShape};

struct ConfusionCommand {
  Path unihan;
  std::vector<Path> text;
  std::array<Path, kErrorKinds> imports;  // by kind
  Path out;
  std::array<std::int64_t, kErrorKinds> limits = {12, 8, 8, 500};
  std::int64_t characters = 0;  // 0: all
  bool strict = false;
  bool json = false;

  bool imports_any() const {
    return std::ranges::any_of(imports, [](const Path& path) { return !path.empty(); });
  }

  void validate() const {
    if (unihan.empty() && !imports_any()) {
      throw InputError(
          "give --unihan DIR with --text FILE, or lists to import (--import-same FILE, ...), or both");
    }
    if (!unihan.empty() && text.empty()) {
      throw InputError(
          "--unihan needs --text: the set holds the characters of the text, ordered by their counts");
    }
    for (std::size_t k = 0; k < limits.size(); ++k) {
      demand(limits[k] >= 0, fmt::format("the limit for {}", kErrorKindNames[k]), limits[k],
             "0 (no limit) or more");
    }
    demand(characters >= 0, "--characters", characters, "0 (all) or more");
  }
};

// The Chinese characters of the text, most frequent first.
struct Universe {
  std::u32string characters;
  std::int64_t counted = 0;  // Chinese characters in the text
  std::int64_t covered = 0;  // of them, such as are in `characters`
};

Universe universe_of(const CharacterCounts& counts, std::int64_t most) {
  Universe universe{by_falling_count(counts, is_han)};
  for (char32_t c : universe.characters) universe.counted += counts[c];
  if (most > 0 && universe.characters.size() > static_cast<std::size_t>(most)) {
    universe.characters.resize(static_cast<std::size_t>(most));
  }
  for (char32_t c : universe.characters) universe.covered += counts[c];
  return universe;
}

struct Imports {
  ConfusionSet set;
  Json report;  // by kind; null if nothing was imported
};

Imports import_all(const ConfusionCommand& command) {
  Imports imports;
  for (std::size_t k = 0; k < command.imports.size(); ++k) {
    const auto& path = command.imports[k];
    if (path.empty()) continue;
    Dropped dropped;
    const auto kind = static_cast<ErrorKind>(k);
    if (kind == ErrorKind::kFrequent) {
      auto imported = import_characters(path);
      imports.set.frequent = std::move(imported.characters);
      dropped = imported.dropped;
    } else {
      auto imported = import_lists(path);
      imports.set.lists(kind) = std::move(imported.lists);
      dropped = imported.dropped;
    }
    imports.report[kErrorKindNames[k]] = {{"file", path.string()},
                                          {"dropped_duplicates", dropped.duplicates},
                                          {"dropped_self", dropped.self},
                                          {"dropped_not_one_character", dropped.not_one}};
    if (dropped.duplicates + dropped.self + dropped.not_one > 0) {
      spdlog::warn("{}: dropped {} duplicates, {} entries in their own list, {} that are not one character",
                   path.string(), dropped.duplicates, dropped.self, dropped.not_one);
    }
  }
  return imports;
}

// {"same_sound":{"characters":n,"candidates":n,"mean":x[,"share":x]},..}; `universe` > 0: what the share
// refers to.
Json summary_json(const ConfusionSet& set, std::int64_t universe) {
  Json out;
  for (auto kind : kListKinds) {
    const auto summary = summarise(set.lists(kind));
    auto& part = out[kErrorKindNames[static_cast<std::size_t>(kind)]];
    part = {{"characters", summary.characters},
            {"candidates", summary.candidates},
            {"mean", ratio(summary.candidates, universe > 0 ? universe : summary.characters)}};
    if (universe > 0) part["share"] = ratio(summary.characters, universe);
  }
  out["frequent"] = {{"characters", set.frequent.size()}};
  return out;
}

Json recovery_json(const ConfusionSet& wanted, const ConfusionSet& found, const std::u32string& universe) {
  Json out;
  for (auto kind : kListKinds) {
    const auto recovery = recovered(wanted, found, kind, universe);
    out[kErrorKindNames[static_cast<std::size_t>(kind)]] = {
        {"pairs", recovery.pairs},
        {"by_kind", ratio(recovery.by_kind, recovery.pairs)},
        {"by_any", ratio(recovery.by_any, recovery.pairs)}};
  }
  return out;
}

void print_summary(const ConfusionSet& set, const Path& out) {
  fmt::print("{}:\n", out.string());
  for (auto kind : kListKinds) {
    const auto summary = summarise(set.lists(kind));
    fmt::print("  {:<14} {:>6} characters, {:.1f} candidates each\n",
               kErrorKindNames[static_cast<std::size_t>(kind)], summary.characters,
               ratio(summary.candidates, summary.characters));
  }
  fmt::print("  {:<14} {:>6} characters\n", "frequent", set.frequent.size());
}

struct OpenSet {
  ConfusionSet set;
  Json report;  // what it holds before and after the limits
};

// Makes the set from Unihan.
OpenSet open_set(const ConfusionCommand& command, const CharacterCounts& counts,
                 const ConfusionSet& imported) {
  const auto universe = universe_of(counts, command.characters);
  if (universe.characters.empty()) throw InputError("--text: it has no Chinese character");
  const auto start = std::chrono::steady_clock::now();
  auto set = confusion_from_unihan(load_unihan(command.unihan), universe.characters);
  set.frequent.assign(universe.characters.begin(), universe.characters.end());
  const auto size = static_cast<std::int64_t>(universe.characters.size());
  Json report = {
      {"universe", {{"characters", size}, {"coverage", ratio(universe.covered, universe.counted)}}},
      {"unihan", summary_json(set, size)}};
  if (command.imports_any()) report["recovered"] = recovery_json(imported, set, universe.characters);
  set.limit(command.limits);
  report["unihan_limited"] = summary_json(set, size);
  if (command.imports_any()) report["recovered_limited"] = recovery_json(imported, set, universe.characters);
  report["unihan_seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return {std::move(set), std::move(report)};
}

int run_confusion(const ConfusionCommand& command, Invocation&) {
  command.validate();
  Json document = {{"out", command.out.string()}};
  auto [set, imported] = import_all(command);
  if (!imported.is_null()) document["imported"] = imported;
  if (!command.text.empty()) {
    const auto [counts, report] = count_characters(command.text, command.strict);
    report.log();
    document["text"] = Json(to_json(report));
    if (!command.unihan.empty()) {
      const auto open = open_set(command, counts, set);
      document.update(open.report);
      set.unite(open.set);
    }
    for (char32_t c : by_falling_count(counts, is_han)) set.counts.emplace(c, counts[c]);
    set.sort_by_count();
  }
  set.save(command.out);
  document["set"] = summary_json(set, 0);
  if (command.json) {
    print_json(document, 2);
  } else {
    print_summary(set, command.out);
  }
  return 0;
}

void add_options(CLI::App& app, ConfusionCommand& command) {
  app.footer(
      "From open data: Unicode's Unihan database, as Debian's package unicode-data has it (no root needed):\n"
      "  apt-get download unicode-data && dpkg -x unicode-data_*.deb unicode\n"
      "  relmpi-data confusion --unihan unicode --text train.txt --out confusion.json\n"
      "The limits hold for this set alone; lists are ordered by count in the text.\n"
      "From lists of other programs, {\"字\":[\"自\",...]} each, frequent characters one a line:\n"
      "  relmpi-data confusion --import-same same.json --import-shape shape.json --out confusion.json\n"
      "With both, the two are united, and --json says how much of the imported lists the open set recovers.");
  app.add_option("--unihan", command.unihan,
                 "Folder with the Unihan files, or the one that unicode-data was unpacked to");
  app.add_option("--text", command.text,
                 "Text files, one sentence a line: which characters occur, and how often");
  app.add_option("--import-same", command.imports[0], "JSON lists of characters of the same sound");
  app.add_option("--import-similar", command.imports[1], "JSON lists of similar sound");
  app.add_option("--import-shape", command.imports[2], "JSON lists of similar shape");
  app.add_option("--import-frequent", command.imports[3], "Frequent characters, one a line");
  app.add_option("--out", command.out, "The confusion set to write (JSON)")->required();
  app.add_option("--limit-same", command.limits[0], "Most candidates of the same sound, 0 = all")
      ->capture_default_str();
  app.add_option("--limit-similar", command.limits[1], "Most candidates of similar sound, 0 = all")
      ->capture_default_str();
  app.add_option("--limit-shape", command.limits[2], "Most candidates of similar shape, 0 = all")
      ->capture_default_str();
  app.add_option("--limit-frequent", command.limits[3], "Most frequent characters, 0 = all")
      ->capture_default_str();
  app.add_option("--characters", command.characters,
                 "Take only the most frequent characters of the text, 0 = all")
      ->capture_default_str();
  app.add_flag("--strict", command.strict,
               "Stop at the first line that is not a sentence (default: skip and count)");
  app.add_flag("--json", command.json, "Print one JSON document on stdout");
}

}  // namespace

void add_confusion(Tool& tool) {
  tool.add<ConfusionCommand>({.name = "confusion",
                              .help = "Which characters writers confuse: same sound, similar sound, shape",
                              .options = &add_options,
                              .run = &run_confusion});
}

}  // namespace relmpi
