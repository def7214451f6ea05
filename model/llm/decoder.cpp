#include "model/llm/decoder.h"

#include <algorithm>

#include "base/torch_headers.h"
#include "model/kernels/few_rows_linear.h"
#include "model/kernels/linear.h"
#include "model/kernels/row_operations.h"
#include "model/llm/cached_attention.h"

namespace relmpi {
namespace {

// x W^T for many rows. In fp32 oneDNN is the faster library, but adds up all products of an output one after
// the other, whereas libtorch's own adds them in parts: long sums would lose their fourth decimal.
at::Tensor product(const at::Tensor& x, const at::Tensor& weight) {
  constexpr std::int64_t kLongSum = 1024;
  const bool onednn = x.scalar_type() == at::kFloat && x.size(1) < kLongSum;
  return onednn ? product_transposed(x, weight) : at::linear(x, weight);
}

// residual + x W^T + bias; bias and residual may be undefined.
at::Tensor project(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                   const at::Tensor& residual = {}) {
  if (has_row_loops(x) && x.size(0) <= kFewRows)
    return few_rows_linear(x, weight, bias, residual, x.scalar_type());
  at::Tensor y = product(x, weight);
  if (bias.defined()) y.add_(bias);
  return residual.defined() ? y.add_(residual) : y;
}

void check_tokens(const std::vector<NewTokens>& batch, const KvCache& cache, const LlmConfig& config) {
  std::vector<bool> there(static_cast<std::size_t>(cache.sequences()), false);
  for (const NewTokens& part : batch) {
    RELMPI_CHECK(part.sequence >= 0 && part.sequence < cache.sequences());
    RELMPI_CHECK(!there[static_cast<std::size_t>(part.sequence)], "sequence {} appears twice", part.sequence);
    there[static_cast<std::size_t>(part.sequence)] = true;
    const auto count = static_cast<std::int64_t>(part.tokens.size());
    if (cache.length(part.sequence) + count > cache.capacity())
      throw InputError("sequence {} would have {} tokens; the key and value cache has room for {}",
                       part.sequence, cache.length(part.sequence) + count, cache.capacity());
    config.demand_in_vocabulary(part.tokens);
  }
}

struct Rows {
  at::Tensor tokens;  // (N) int64, host
  RowPlaces places;   // host
  std::vector<Segment> segments;
};

Rows pack(const std::vector<NewTokens>& batch, const KvCache& cache) {
  std::int64_t count = 0;
  for (const NewTokens& part : batch) count += static_cast<std::int64_t>(part.tokens.size());
  Rows rows{.tokens = at::empty({count}, at::kLong),
            .places = {at::empty({count}, at::kLong), at::empty({count}, at::kLong)},
            .segments = {}};
  auto *token = rows.tokens.data_ptr<std::int64_t>(),
       *sequence = rows.places.sequences.data_ptr<std::int64_t>(),
       *position = rows.places.positions.data_ptr<std::int64_t>();
  std::int64_t row = 0;
  for (const NewTokens& part : batch) {
    if (part.tokens.empty()) continue;
    const std::int64_t start = cache.length(part.sequence);
    rows.segments.push_back({part.sequence, row, static_cast<std::int64_t>(part.tokens.size()), start});
    for (std::size_t i = 0; i < part.tokens.size(); ++i, ++row) {
      token[row] = part.tokens[i];
      sequence[row] = part.sequence;
      position[row] = start + static_cast<std::int64_t>(i);
    }
  }
  return rows;
}

}  // namespace

// What the layers of each slot need to know of the rows.
struct Decoder::Pass {
  struct Slot {
    RowPlaces places;
    AttentionPlan plan;
    RopeTable rope;
  };
  std::vector<Slot> slots;
};

Decoder::Decoder(const std::filesystem::path& folder, LlmConfig config, at::ScalarType dtype,
                 LlmPlaces places)
    : config_(std::move(config)),
      dtype_(dtype),
      places_(std::move(places)),
      weights_(load_llm_weights(folder, config_, dtype, places_)),
      ropes_(places_.devices.size()) {}

KvCache Decoder::make_cache(std::int64_t sequences, std::int64_t capacity) const {
  if (capacity < 1 || capacity > config_.max_position_embeddings)
    throw InputError(
        "a context of {} tokens was asked for; the model takes 1 to {} (max_position_embeddings)", capacity,
        config_.max_position_embeddings);
  const at::NoGradGuard no_grad;
  return {config_, places_, dtype_, sequences, capacity};
}

const RopeTable& Decoder::rope(std::size_t slot, std::int64_t positions) {
  RopeTable& table = ropes_[slot];
  if (!table.cosines.defined() || table.cosines.size(0) < positions)
    table = rope_table(config_, positions, places_.devices[slot]);
  return table;
}

at::Tensor Decoder::to_slot(const at::Tensor& x, std::size_t slot) {
  if (slot == slot_) return x;
  slot_ = slot;
  ++copies_;
  return x.to(places_.devices[slot], x.scalar_type(), /*non_blocking=*/false, /*copy=*/true);
}

Hidden Decoder::forward(const std::vector<NewTokens>& batch, KvCache& cache,
                        const std::vector<std::int64_t>& layers) {
  const at::NoGradGuard no_grad;
  check_tokens(batch, cache, config_);
  const Rows rows = pack(batch, cache);
  RELMPI_CHECK(!rows.segments.empty(), "a forward pass without tokens");
  for (const std::int64_t layer : layers)
    RELMPI_CHECK(layer >= 0 && layer <= config_.num_hidden_layers, "layer {} was asked for", layer);
  slot_ = places_.embedding;
  at::Tensor x = weights_.embedding.index_select(0, rows.tokens.to(weights_.embedding.device()));
  Pass pass;
  for (std::size_t slot = 0; slot < places_.devices.size(); ++slot) {
    const at::Device device = places_.devices[slot];
    pass.slots.push_back(
        {{rows.places.sequences.to(device), rows.places.positions.to(device)},
         plan_attention(rows.segments, cache.sequences(), at::empty({0}, x.options().device(device))),
         rope(slot, cache.capacity())});
  }
  Hidden out;
  const auto keep = [&](std::int64_t layer) {
    if (std::find(layers.begin(), layers.end(), layer) != layers.end()) out.after[layer] = x;
  };
  keep(0);
  for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
    x = run_layer(i, to_slot(x, places_.layers[i]), pass, cache);
    keep(static_cast<std::int64_t>(i) + 1);
  }
  for (const Segment& segment : rows.segments) cache.advance(segment.sequence, segment.count);
  out.last = to_slot(x, places_.head);
  return out;
}

at::Tensor Decoder::run_layer(std::size_t index, const at::Tensor& x, const Pass& pass,
                              const KvCache& cache) const {
  const LlmLayer& layer = weights_.layers[index];
  const Pass::Slot& slot = pass.slots[places_.layers[index]];
  const double eps = config_.rms_norm_eps;
  const at::Tensor qkv = project(rms_norm(x, layer.input_norm, eps), layer.qkv, layer.qkv_bias);
  const at::Tensor queries =
      rotate_and_store(qkv, {slot.rope.cosines, slot.rope.sines, layer.q_norm, layer.k_norm, eps},
                       slot.places, cache.keys(index), cache.values(index));
  const at::Tensor mixed = cached_attention(queries, cache.keys(index), cache.values(index), slot.plan);
  const at::Tensor middle = project(mixed, layer.output, layer.output_bias, x);
  const at::Tensor gate_up =
      project(rms_norm(middle, layer.post_attention_norm, eps), layer.gate_up, layer.gate_up_bias);
  return project(swiglu(gate_up), layer.down, layer.down_bias, middle);
}

at::Tensor Decoder::logits(const at::Tensor& hidden) const {
  const at::NoGradGuard no_grad;
  const at::Tensor x = rms_norm(hidden.to(weights_.head.device()), weights_.final_norm, config_.rms_norm_eps);
  // Logits are never rounded to 16 bits if the operators allow it: near the greatest, bf16 has steps of
  // an eighth.
  if (has_row_loops(x)) return few_rows_linear(x, weights_.head, {}, {}, at::kFloat);
  if (x.is_cuda() && x.scalar_type() != at::kFloat) return at::mm(x, weights_.head.t(), at::kFloat);
  return at::linear(x, weights_.head).to(at::kFloat);
}

}  // namespace relmpi
