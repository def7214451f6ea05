#include "model/dgca/inputs.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "base/error.h"
#include "base/random.h"
#include "model/upload.h"

namespace relmpi {
namespace {

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

// Everything of Inputs as host arrays, filled row by row.
struct InputBuilder::Layout {
  std::vector<std::int64_t> ids, positions, ends, prompt_slots, source_slots, target_slots, source, keys,
      labels, masked, masked_index, open_index;
};

LossCounts& LossCounts::operator+=(const LossCounts& other) {
  positions += other.positions;
  characters += other.characters;
  ranked += other.ranked;
  masked += other.masked;
  return *this;
}

std::vector<std::uint8_t> masked_characters(const Batch& batch, std::int64_t epoch, const MaskOptions& mask) {
  if (mask.mode == MaskMode::kNone) return {};
  std::vector<std::uint8_t> masked;
  for (std::int64_t b = 0; b < batch.rows; ++b) {
    for (std::int32_t i = 0; i < batch.lengths[b]; ++i) {
      const bool wrong = batch.source[b * batch.width + i] != batch.target[b * batch.width + i];
      const bool eligible = mask.mode == MaskMode::kAll || wrong == (mask.mode == MaskMode::kErrors);
      masked.push_back(eligible &&
                       Random(mask.seed, "mft", epoch, batch.sentences[b], i).uniform() < mask.rate);
    }
  }
  return masked;
}

InputBuilder::InputBuilder(const ModelConfig& config, const Vocabulary& vocabulary, CandidateTable table,
                           std::int64_t width_multiple)
    : config_(config),
      table_(std::move(table)),
      width_multiple_(width_multiple),
      pad_(vocabulary.pad()),
      cls_(vocabulary.cls()),
      sep_(vocabulary.sep()),
      mask_(vocabulary.mask()) {
  if (config_.vocab_size < vocabulary.size())
    throw InputError(
        "the vocabulary has {} tokens, but the model's embeddings only {}: they do not belong together",
        vocabulary.size(), config_.vocab_size);
}

const std::int32_t* InputBuilder::candidates_of(std::int32_t id) const {
  return table_.ids.data() + static_cast<std::ptrdiff_t>(id) * table_.width;
}

bool InputBuilder::has_candidates(std::int32_t id) const {
  return table_.width > 0 && id < table_.vocabulary_size && candidates_of(id)[0] >= 0;
}

bool InputBuilder::among_candidates(std::int32_t key, std::int32_t answer) const {
  if (!has_candidates(key)) return false;
  const std::int32_t* row = candidates_of(key);
  return std::find(row, row + table_.width, answer) != row + table_.width;
}

Inputs InputBuilder::build(const Batch& batch, std::int64_t epoch, const MaskOptions& mask, at::Device device,
                           LossCounts* counts) const {
  return build(batch, masked_characters(batch, epoch, mask), device, counts);
}

// [CLS], source, [SEP], [MASK] slots of one row that starts at slot `row` and has n characters.
void InputBuilder::add_frame(std::int64_t row, std::int64_t n, Layout& out) const {
  const std::int64_t border = config_.border(), target = n + 2 * border;
  for (std::int64_t p = 0; p < border; ++p) {
    out.ids[static_cast<std::size_t>(row + p)] = cls_;
    out.ids[static_cast<std::size_t>(row + border + n + p)] = sep_;
  }
  for (std::int64_t s = 0; s < 2 * n + 2 * border; ++s) {
    const bool shared = config_.positions == Positions::kAligned && s >= target;
    out.positions[static_cast<std::size_t>(row + s)] = shared ? s - n - border : s;
  }
  if (config_.prompt_length > 0)
    for (std::int64_t p = 0; p < 2 * border; ++p) out.prompt_slots.push_back(row + p + (p < border ? 0 : n));
}

// One character: its source slot, its target slot and what the losses want of it.
void InputBuilder::add_character(std::int64_t source_slot, std::int64_t target_slot, std::int32_t written,
                                 std::int32_t answer, bool masked, Layout& out) const {
  const auto index = static_cast<std::int64_t>(out.source.size());
  const std::int32_t key = config_.candidate_source == CandidateSource::kAsPublished ? mask_ : written;
  out.ids[static_cast<std::size_t>(source_slot)] = masked ? mask_ : written;
  out.ids[static_cast<std::size_t>(target_slot)] = mask_;
  out.source_slots.push_back(source_slot);
  out.target_slots.push_back(target_slot);
  out.source.push_back(written);
  out.keys.push_back(key);
  out.labels.push_back(answer);
  out.masked.push_back(masked);
  if (masked) out.masked_index.push_back(index);
  if (masked || !config_.has_candidates() || !has_candidates(key)) out.open_index.push_back(index);
}

Inputs InputBuilder::build(const Batch& batch, const std::vector<std::uint8_t>& masked, at::Device device,
                           LossCounts* counts) const {
  const std::int64_t border = config_.border();
  const std::int32_t* longest = std::max_element(batch.lengths, batch.lengths + batch.rows);
  if (*longest > config_.max_characters())
    throw InputError(
        "sentence {} has {} characters, but the model takes {} (max_length {} = 2n + {}); raise --max-length "
        "or shard with --max-length {}",
        batch.sentences[longest - batch.lengths], *longest, config_.max_characters(), config_.max_length,
        2 * border, config_.max_characters());
  Inputs in;
  in.rows = batch.rows;
  in.lengths.assign(batch.lengths, batch.lengths + batch.rows);
  in.width = std::min(round_up(2 * *longest + 2 * border, width_multiple_), config_.max_length);
  Layout out;
  out.ids.assign(static_cast<std::size_t>(in.rows * in.width), pad_);
  out.positions.assign(out.ids.size(), 0);
  LossCounts tally;
  for (std::int64_t b = 0; b < in.rows; ++b) {
    const std::int64_t n = batch.lengths[b], row = b * in.width;
    add_frame(row, n, out);
    out.ends.push_back(2 * n + 2 * border);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::size_t index = out.source.size();
      const bool is_masked = !masked.empty() && masked[index] != 0;
      const std::int32_t answer = batch.target[b * batch.width + i];
      add_character(row + border + i, row + n + 2 * border + i, batch.source[b * batch.width + i], answer,
                    is_masked, out);
      tally.ranked += !is_masked && config_.has_candidates() &&
                      among_candidates(static_cast<std::int32_t>(out.keys[index]), answer);
    }
  }
  tally.characters = static_cast<std::int64_t>(out.source.size());
  tally.masked = static_cast<std::int64_t>(out.masked_index.size());
  tally.positions = tally.characters + tally.masked;
  if (counts) *counts = tally;
  upload_layout(out, device, in);
  return in;
}

void InputBuilder::upload_layout(const Layout& out, at::Device device, Inputs& in) const {
  const auto tensors =
      upload({out.ids, out.positions, out.ends, out.prompt_slots, out.source_slots, out.target_slots,
              out.source, out.keys, out.labels, out.masked, out.masked_index, out.open_index},
             device);
  in.ids = tensors[0].view({in.rows, in.width});
  in.positions = tensors[1].view({in.rows, in.width});
  const bool padded = std::ranges::any_of(out.ends, [&](std::int64_t end) { return end < in.width; });
  if (padded || width_multiple_ > 1)
    in.padding_mask = at::arange(in.width, tensors[2].options())
                          .unsqueeze(0)
                          .lt(tensors[2].unsqueeze(1))
                          .view({in.rows, 1, 1, in.width});
  if (!out.prompt_slots.empty()) in.prompt_slots = tensors[3];
  in.source_slots = tensors[4];
  in.target_slots = tensors[5];
  in.source = tensors[6];
  in.candidate_keys = tensors[7];
  in.labels = tensors[8];
  in.masked = tensors[9].to(at::kBool);
  in.masked_index = tensors[10];
  in.open_index = tensors[11];
}

}  // namespace relmpi
