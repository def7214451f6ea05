#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace relmpi {

// Sentence-level metrics of spelling correction, as the field counts them (SIGHAN; INTERFACES `csc`).

struct Triple {
  std::u32string source;
  std::u32string target;
  std::u32string prediction;
};

// What became of one sentence. Positive: source != target.
enum class Outcome : std::uint8_t {
  kTruePositive,   // positive, and right
  kFalsePositive,  // not positive, but changed
  kFalseNegative,  // positive, and left as it was
  kWrongPositive,  // positive, changed, and not right
  kTrueNegative,   // not positive, and left as it was
};

// Right means: the prediction is the target.
Outcome correction_outcome(std::u32string_view source, std::u32string_view target,
                           std::u32string_view prediction);

// Right means: the positions that were changed are the positions that are wrong. A prediction whose length is
// not the source's has no positions to compare: it is changed, and never right.
Outcome detection_outcome(std::u32string_view source, std::u32string_view target,
                          std::u32string_view prediction);

// Counts of outcomes; those of disjoint sets of sentences add up.
struct OutcomeCounts {
  std::int64_t tp = 0;
  std::int64_t fp = 0;
  std::int64_t fn = 0;
  std::int64_t wp = 0;
  std::int64_t tn = 0;

  void add(Outcome outcome);
  OutcomeCounts& operator+=(const OutcomeCounts& other);
  bool operator==(const OutcomeCounts&) const = default;

  std::int64_t changed() const { return tp + fp + wp; }
  std::int64_t positives() const { return tp + fn + wp; }
  // 0 if the denominator is 0.
  double precision() const;  // tp / changed
  double recall() const;     // tp / positives
  double f1() const;
  double f2() const;
  double fpr() const;  // fp / sentences that are not positive
  double wpr() const;  // wp / positives
};

struct CscMetrics {
  std::int64_t sentences = 0;
  std::int64_t tokens = 0;  // characters of the sources
  OutcomeCounts correction;
  OutcomeCounts detection;

  void add(std::u32string_view source, std::u32string_view target, std::u32string_view prediction);
  void add(const Triple& triple) { add(triple.source, triple.target, triple.prediction); }
  CscMetrics& operator+=(const CscMetrics& other);
  bool operator==(const CscMetrics&) const = default;
};

// {"sentences":n,"correction":{...},"detection":{...},"tokens":n}; the caller adds "seconds".
nlohmann::ordered_json to_json(const OutcomeCounts& counts);
nlohmann::ordered_json to_json(const CscMetrics& metrics);
std::string to_text(const CscMetrics& metrics);

// Reads `source TAB target TAB prediction` lines. Spaces (and a byte order mark at the start) only separate
// characters and are dropped. Throws InputError with file:line if a line has not three fields, is not
// UTF-8, has an empty source or target, or a source and a target of different lengths; and if there is no
// line at all. A prediction may have any length.
std::vector<Triple> read_triples(const std::filesystem::path& path);

}  // namespace relmpi
