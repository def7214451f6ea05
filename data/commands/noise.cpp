#include "data/spelling/noise.h"

#include <fmt/ranges.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/units.h"
#include "base/utf8.h"
#include "data/commands/commands.h"
#include "data/text/sentence_files.h"
#include "data/text/vocabulary.h"

namespace relmpi {
namespace {

struct NoiseCommand {
  std::vector<std::filesystem::path> text;
  std::filesystem::path confusion;
  std::filesystem::path out;
  std::filesystem::path vocabulary;  // empty: replacements may be any character
  std::int64_t copies = 1;
  std::vector<double> mix{kDefaultMix.begin(), kDefaultMix.end()};
  NoiseOptions options;
  bool strict = false;
  bool json = false;

  // The options with the mix. Throws InputError.
  NoiseOptions validated() const {
    demand(copies >= 1, "--copies", copies, "at least 1");
    demand(mix.size() == kErrorKinds, "--mix", fmt::format("{}", fmt::join(mix, ",")),
           "four shares: same sound, similar sound, similar shape, frequent");
    NoiseOptions mixed = options;
    std::ranges::copy(mix, mixed.mix.begin());
    mixed.validate();
    return mixed;
  }
};

struct NoiseCounts {
  std::int64_t pairs = 0;
  std::int64_t unchanged = 0;   // pairs without an error
  std::int64_t left_clean = 0;  // of them, by the draw for --clean
  std::int64_t characters = 0;
  std::array<std::int64_t, kErrorKinds> errors{};

  void add(const NoisySentence& noisy) {
    ++pairs;
    characters += static_cast<std::int64_t>(noisy.source.size());
    left_clean += noisy.left_clean ? 1 : 0;
    std::int64_t here = 0;
    for (std::size_t k = 0; k < errors.size(); ++k) {
      errors[k] += noisy.errors[k];
      here += noisy.errors[k];
    }
    unchanged += here == 0 ? 1 : 0;
  }

  std::int64_t all_errors() const { return errors[0] + errors[1] + errors[2] + errors[3]; }
};

nlohmann::json to_json(const NoiseCommand& command, const TextReport& report, const NoiseCounts& counts,
                       double seconds) {
  auto document = to_json(report);
  nlohmann::json errors = {{"total", counts.all_errors()}};
  for (std::size_t k = 0; k < counts.errors.size(); ++k) errors[kErrorKindNames[k]] = counts.errors[k];
  document.update({{"copies", command.copies},
                   {"pairs", counts.pairs},
                   {"characters", counts.characters},
                   {"errors", errors},
                   {"error_rate", ratio(counts.all_errors(), counts.characters)},
                   {"clean", counts.unchanged},
                   {"clean_share", ratio(counts.unchanged, counts.pairs)},
                   {"left_clean", counts.left_clean},
                   {"seconds", seconds},
                   {"options",
                    {{"seed", command.options.seed},
                     {"mean_errors", command.options.mean_errors},
                     {"clean", command.options.clean},
                     {"mix", command.mix},
                     {"at_least_one", command.options.at_least_one}}},
                   {"out", command.out.string()}});
  return document;
}

int run_noise(const NoiseCommand& command, Invocation&) {
  const NoiseOptions options = command.validated();
  const auto start = std::chrono::steady_clock::now();
  const auto confusion = ConfusionSet::load(command.confusion);
  std::optional<Vocabulary> vocabulary;
  if (!command.vocabulary.empty()) vocabulary = Vocabulary::load(command.vocabulary);
  const auto allowed = [&](char32_t c) {
    return !vocabulary || vocabulary->character(vocabulary->character_id(c)) == c;
  };
  const Noise noise(confusion, options, allowed);
  AtomicFile out(command.out);
  TextReport report;
  NoiseCounts counts;
  for (std::int64_t copy = 0; copy < command.copies; ++copy) {
    std::int64_t index = 0;
    const auto title = fmt::format("noise {}/{}", copy + 1, command.copies);
    report = read_sentences(command.text, title, command.strict, [&](const std::u32string& target) {
      const auto noisy = noise.apply(target, copy, index++);
      counts.add(noisy);
      out.write(encode_utf8(noisy.source) + "\t" + encode_utf8(target) + "\n");
    });
    if (report.sentences == 0)
      throw InputError("--text: no sentence in {} lines; nothing written", report.lines);
  }
  out.commit();
  report.log();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (command.json) {
    print_json(to_json(command, report, counts, seconds), 2);
  } else {
    fmt::print("{}: {} pairs, {} without an error; {} errors in {} characters (", command.out.string(),
               counts.pairs, counts.unchanged, counts.all_errors(), counts.characters);
    for (std::size_t k = 0; k < counts.errors.size(); ++k) {
      fmt::print("{}{} {}", k == 0 ? "" : ", ", kErrorKindNames[k], counts.errors[k]);
    }
    fmt::print(") in {:.1f} s\n", seconds);
  }
  return 0;
}

void add_options(CLI::App& app, NoiseCommand& command) {
  app.footer(
      "Writes `source TAB target` lines, copy after copy, without spaces. A sentence gets the same errors "
      "whenever seed,\n"
      "copy and its number among the sentences are the same. Use --at-least-one for test sets.\n"
      "Example: relmpi-data noise --text train.txt --confusion confusion.json --out pairs.tsv --copies 6");
  app.add_option("--text", command.text, "Text files, UTF-8, one right sentence a line")->required();
  app.add_option("--confusion", command.confusion, "Confusion set of `relmpi-data confusion`")->required();
  app.add_option("--out", command.out, "The pairs to write")->required();
  app.add_option("--vocab", command.vocabulary, "Write only characters of this vocabulary");
  app.add_option("--copies", command.copies, "Copies of each sentence, each with errors of its own")
      ->capture_default_str();
  app.add_option("--mean-errors", command.options.mean_errors, "Mean of the Poisson number of errors")
      ->capture_default_str();
  app.add_option("--clean", command.options.clean, "Probability that a sentence is left as it is")
      ->capture_default_str();
  app.add_option("--mix", command.mix,
                 "Shares of same sound, similar sound, similar shape, frequent characters")
      ->delimiter(',')
      ->expected(1, kErrorKinds * 2)
      ->default_str(".4,.3,.2,.1");
  app.add_flag("--at-least-one", command.options.at_least_one,
               "At least one error in each sentence that is not left clean");
  app.add_option("--seed", command.options.seed, "Seed of all random choices")
      ->check(CLI::NonNegativeNumber)  // CLI11 takes -1 for 2^64 - 1 otherwise
      ->capture_default_str();
  app.add_flag("--strict", command.strict,
               "Stop at the first line that is not a sentence (default: skip and count)");
  app.add_flag("--json", command.json, "Print one JSON document on stdout");
}

}  // namespace

void add_noise(Tool& tool) {
  tool.add<NoiseCommand>({.name = "noise",
                          .help = "Right sentences to pairs with synthetic spelling errors",
                          .options = &add_options,
                          .run = &run_noise});
}

}  // namespace relmpi
