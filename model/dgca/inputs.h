#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "base/names.h"
#include "data/loader/loader.h"
#include "data/spelling/candidates.h"
#include "data/text/vocabulary.h"
#include "model/dgca/config.h"

namespace relmpi {

// Masked fine-tuning: which source characters are replaced by [MASK].
enum class MaskMode { kNone, kCorrect, kErrors, kAll };
inline constexpr Names<MaskMode, 4> kMaskModes{{{MaskMode::kNone, "none"},
                                                {MaskMode::kCorrect, "correct"},
                                                {MaskMode::kErrors, "errors"},
                                                {MaskMode::kAll, "all"}}};

struct MaskOptions {
  MaskMode mode = MaskMode::kNone;
  double rate = 0.2;
  std::uint64_t seed = 0;
};

// What one forward pass reads. N = characters of all rows, M = masked ones. Everything whose size depends on
// the text is counted on the host, so that the device is never asked for a size.
struct Inputs {
  std::int64_t rows = 0;      // B
  std::int64_t width = 0;     // S, slots of the longest row (2n + 2P), rounded up as the builder was told
  at::Tensor ids;             // (B, S) int64
  at::Tensor positions;       // (B, S) int64
  at::Tensor padding_mask;    // (B, 1, 1, S) bool, true = attend; undefined if no slot is padding
                              // and widths are not rounded
  at::Tensor prompt_slots;    // (B * 2P) int64 into B * S; undefined without prompts
  at::Tensor source_slots;    // (N) int64 into B * S
  at::Tensor target_slots;    // (N) int64 into B * S
  at::Tensor source;          // (N) int64, the characters as written (before masking)
  at::Tensor candidate_keys;  // (N) int64, whose candidates each target slot gets
  at::Tensor labels;          // (N) int64
  at::Tensor masked;          // (N) bool
  at::Tensor masked_index;    // (M) int64 into N
  at::Tensor open_index;  // (N') int64 into N: target slots that have no candidates (masked, or an empty row)
  std::vector<std::int64_t> lengths;  // (B) on the host
};

// How many terms each loss has (integers, added over micro-batches and ranks before anything is divided).
struct LossCounts {
  std::int64_t positions = 0;   // loss positions: every target slot and every masked source slot
  std::int64_t characters = 0;  // source characters
  std::int64_t ranked = 0;      // target slots whose right answer is among the candidates
  std::int64_t masked = 0;      // masked source characters

  LossCounts& operator+=(const LossCounts& other);
};

// Builds inputs from the two id rows of each sentence. Owns the candidate table, on the host for counting.
class InputBuilder {
 public:
  // `table` may be empty (width 0) for ablations without candidates. Widths are rounded up to a multiple of
  // `width_multiple`, so that shapes repeat.
  InputBuilder(const ModelConfig& config, const Vocabulary& vocabulary, CandidateTable table,
               std::int64_t width_multiple = 1);

  // The masked characters of sentence i depend on (seed, epoch, sentence number, position) alone. `counts`
  // receives what the losses are divided by. Throws InputError for a sentence longer than the model takes.
  Inputs build(const Batch& batch, std::int64_t epoch, const MaskOptions& mask, at::Device device,
               LossCounts* counts = nullptr) const;
  // The same with the masked characters given, (N) in the order of the rows; empty = none.
  Inputs build(const Batch& batch, const std::vector<std::uint8_t>& masked, at::Device device,
               LossCounts* counts = nullptr) const;

  const CandidateTable& table() const { return table_; }

 private:
  struct Layout;

  void add_frame(std::int64_t row, std::int64_t n, Layout& out) const;
  void add_character(std::int64_t source_slot, std::int64_t target_slot, std::int32_t written,
                     std::int32_t answer, bool masked, Layout& out) const;
  void upload_layout(const Layout& out, at::Device device, Inputs& in) const;
  const std::int32_t* candidates_of(std::int32_t id) const;
  bool has_candidates(std::int32_t id) const;
  bool among_candidates(std::int32_t key, std::int32_t answer) const;

  ModelConfig config_;
  CandidateTable table_;
  std::int64_t width_multiple_;
  std::int32_t pad_, cls_, sep_, mask_;
};

std::vector<std::uint8_t> masked_characters(const Batch& batch, std::int64_t epoch, const MaskOptions& mask);

}  // namespace relmpi
