#include "eval/csc/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/error.h"
#include "base/files.h"
#include "base/units.h"
#include "base/utf8.h"
#include "eval/decisions/statistics.h"

namespace relmpi {
namespace {

Outcome outcome(bool positive, bool changed, bool right) {
  if (!positive) return changed ? Outcome::kFalsePositive : Outcome::kTrueNegative;
  if (!changed) return Outcome::kFalseNegative;
  return right ? Outcome::kTruePositive : Outcome::kWrongPositive;
}

bool same_positions_differ(std::u32string_view source, std::u32string_view target,
                           std::u32string_view prediction) {
  if (prediction.size() != source.size() || target.size() != source.size()) return false;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if ((target[i] != source[i]) != (prediction[i] != source[i])) return false;
  }
  return true;
}

std::vector<std::string_view> split_at_tabs(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::size_t begin = 0;;) {
    const std::size_t tab = line.find('\t', begin);
    fields.push_back(line.substr(begin, tab - begin));
    if (tab == std::string_view::npos) return fields;
    begin = tab + 1;
  }
}

Triple parse_triple(std::string_view line, const std::string& source) {
  const auto fields = split_at_tabs(line);
  if (fields.size() != 3) {
    throw InputError("{}: {} field(s) instead of 3; a line is: source TAB target TAB prediction", source,
                     fields.size());
  }
  Triple triple;
  const std::array<std::u32string*, 3> parts = {&triple.source, &triple.target, &triple.prediction};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto text = decode_utf8(fields[i]);
    if (!text) throw InputError("{}: field {} is not valid UTF-8; convert the file to UTF-8", source, i + 1);
    std::copy_if(text->begin(), text->end(), std::back_inserter(*parts[i]),
                 [](char32_t c) { return c != U' '; });
  }
  if (triple.source.empty() || triple.target.empty()) {
    throw InputError("{}: the {} is empty; remove the line", source,
                     triple.source.empty() ? "source" : "target");
  }
  if (triple.source.size() != triple.target.size()) {
    throw InputError("{}: the source has {} characters and the target {}; they must be of one length", source,
                     triple.source.size(), triple.target.size());
  }
  return triple;
}

}  // namespace

Outcome correction_outcome(std::u32string_view source, std::u32string_view target,
                           std::u32string_view prediction) {
  return outcome(source != target, prediction != source, prediction == target);
}

Outcome detection_outcome(std::u32string_view source, std::u32string_view target,
                          std::u32string_view prediction) {
  return outcome(source != target, prediction != source, same_positions_differ(source, target, prediction));
}

void OutcomeCounts::add(Outcome outcome) {
  switch (outcome) {
    case Outcome::kTruePositive:
      ++tp;
      break;
    case Outcome::kFalsePositive:
      ++fp;
      break;
    case Outcome::kFalseNegative:
      ++fn;
      break;
    case Outcome::kWrongPositive:
      ++wp;
      break;
    case Outcome::kTrueNegative:
      ++tn;
      break;
  }
}

OutcomeCounts& OutcomeCounts::operator+=(const OutcomeCounts& other) {
  tp += other.tp;
  fp += other.fp;
  fn += other.fn;
  wp += other.wp;
  tn += other.tn;
  return *this;
}

double OutcomeCounts::precision() const { return ratio(tp, changed()); }
double OutcomeCounts::recall() const { return ratio(tp, positives()); }
double OutcomeCounts::f1() const { return f_beta(tp, changed(), positives(), 1.0); }
double OutcomeCounts::f2() const { return f_beta(tp, changed(), positives(), 2.0); }
double OutcomeCounts::fpr() const { return ratio(fp, fp + tn); }
double OutcomeCounts::wpr() const { return ratio(wp, positives()); }

void CscMetrics::add(std::u32string_view source, std::u32string_view target, std::u32string_view prediction) {
  ++sentences;
  tokens += static_cast<std::int64_t>(source.size());
  correction.add(correction_outcome(source, target, prediction));
  detection.add(detection_outcome(source, target, prediction));
}

CscMetrics& CscMetrics::operator+=(const CscMetrics& other) {
  sentences += other.sentences;
  tokens += other.tokens;
  correction += other.correction;
  detection += other.detection;
  return *this;
}

nlohmann::ordered_json to_json(const OutcomeCounts& counts) {
  return {{"precision", counts.precision()},
          {"recall", counts.recall()},
          {"f1", counts.f1()},
          {"f2", counts.f2()},
          {"fpr", counts.fpr()},
          {"wpr", counts.wpr()},
          {"tp", counts.tp},
          {"fp", counts.fp},
          {"fn", counts.fn},
          {"wp", counts.wp}};
}

nlohmann::ordered_json to_json(const CscMetrics& metrics) {
  return {{"sentences", metrics.sentences},
          {"correction", to_json(metrics.correction)},
          {"detection", to_json(metrics.detection)},
          {"tokens", metrics.tokens}};
}

std::string to_text(const CscMetrics& metrics) {
  std::string text = fmt::format("{} sentences, {} of them with errors, {} characters\n\n", metrics.sentences,
                                 metrics.correction.positives(), metrics.tokens);
  text += fmt::format("{:<12}{:>10}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}\n", "", "precision",
                      "recall", "F1", "F2", "FPR", "WPR", "tp", "fp", "fn", "wp");
  const auto row = [&text](const char* name, const OutcomeCounts& counts) {
    text += fmt::format("{:<12}{:>10.2f}{:>8.2f}{:>8.2f}{:>8.2f}{:>8.2f}{:>8.2f}{:>8}{:>8}{:>8}{:>8}\n", name,
                        100 * counts.precision(), 100 * counts.recall(), 100 * counts.f1(), 100 * counts.f2(),
                        100 * counts.fpr(), 100 * counts.wpr(), counts.tp, counts.fp, counts.fn, counts.wp);
  };
  row("correction", metrics.correction);
  row("detection", metrics.detection);
  text += "\nPercent, by sentence.\n";
  return text;
}

std::vector<Triple> read_triples(const std::filesystem::path& path) {
  const std::vector<std::string> lines = read_lines(path);
  if (lines.empty())
    throw InputError("{}: the file is empty; a line is: source TAB target TAB prediction", path.string());
  std::vector<Triple> triples;
  triples.reserve(lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::string_view line = lines[i];
    if (i == 0 && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
    triples.push_back(parse_triple(line, fmt::format("{}:{}", path.string(), i + 1)));
  }
  return triples;
}

}  // namespace relmpi
