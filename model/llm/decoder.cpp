#include "model/llm/decoder.h"

#include <algorithm>

#include "base/torch_headers.h"
#include "model/kernels/few_rows_linear.h"
#include "model/kernels/linear.h"
#include "model/kernels/row_operations.h"
#include "model/llm/cached_attention.h"
#include "model/upload.h"

namespace relmpi {
namespace {

// residual + x W^T + bias; bias and residual may be undefined. The general path writes to `residual`.
at::Tensor project(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                   const at::Tensor& residual = {}) {
  at::Tensor y;
  if (!has_row_loops(x))
    y = residual.defined() ? residual.addmm_(x, weight.t()) : at::linear(x, weight);
  else if (x.size(0) <= kFewRows)
    return few_rows_linear(x, weight, bias, residual, x.scalar_type());
  else
    y = product_then(x, weight, residual.defined() ? Then::kAdd : Then::kNothing, residual);
  return bias.defined() ? y.add_(bias) : y;
}

// silu(gate) * up of x W^T + bias, gate and up below each other in W.
at::Tensor gated(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (!has_row_loops(x) || x.size(0) <= kFewRows || bias.defined()) return swiglu(project(x, weight, bias));
  const std::int64_t size = weight.size(0) / 2;
  const at::Tensor gate = product_then(x, weight.narrow(0, 0, size), Then::kSilu);
  return product_then(x, weight.narrow(0, size, size), Then::kMultiply, gate);
}

// The new tokens of a pass, one below the other.
struct Rows {
  std::vector<std::int64_t> tokens, sequences, positions;
  std::vector<Segment> segments;
};

Rows pack(const std::vector<NewTokens>& batch, const KvCache& cache) {
  Rows rows;
  for (const NewTokens& part : batch) {
    if (part.tokens.empty()) continue;
    const std::int64_t start = cache.length(part.sequence),
                       count = static_cast<std::int64_t>(part.tokens.size());
    rows.segments.push_back({part.sequence, static_cast<std::int64_t>(rows.tokens.size()), count, start});
    rows.tokens.insert(rows.tokens.end(), part.tokens.begin(), part.tokens.end());
    rows.sequences.insert(rows.sequences.end(), part.tokens.size(), part.sequence);
    for (std::int64_t i = 0; i < count; ++i) rows.positions.push_back(start + i);
  }
  return rows;
}

CacheShape cache_shape(const KvCache& cache, const LlmConfig& config) {
  const std::int64_t kv_heads = config.num_key_value_heads;
  return {cache.sequences(), kv_heads, config.num_attention_heads / kv_heads};
}

}  // namespace

// What the layers of a slot need to know of the rows.
struct Decoder::SlotPlan {
  RowPlaces places;
  AttentionPlan attention;
  RopeTable rope;
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

void Decoder::check(const std::vector<NewTokens>& batch, const KvCache& cache) const {
  std::vector<bool> there(static_cast<std::size_t>(cache.sequences()), false);
  for (const NewTokens& part : batch) {
    RELMPI_CHECK(part.sequence >= 0 && part.sequence < cache.sequences());
    RELMPI_CHECK(!there[static_cast<std::size_t>(part.sequence)], "sequence {} appears twice", part.sequence);
    there[static_cast<std::size_t>(part.sequence)] = true;
    const auto count = static_cast<std::int64_t>(part.tokens.size());
    if (cache.length(part.sequence) + count > cache.capacity())
      throw InputError("sequence {} would have {} tokens; the key and value cache has room for {}",
                       part.sequence, cache.length(part.sequence) + count, cache.capacity());
    config_.demand_in_vocabulary(part.tokens);
  }
}

Decoder::SlotPlan Decoder::plan_slot(std::size_t slot, const std::vector<Segment>& segments, RowPlaces places,
                                     const KvCache& cache) {
  const at::Tensor like = at::empty({0}, at::TensorOptions(places_.devices[slot]).dtype(dtype_));
  const RopeTable& table = rope(slot, cache.capacity());
  if (!has_row_loops(like))
    places.angles = portable::angles_of_rows(table.cosines, table.sines, places.positions);
  return {std::move(places), plan_attention(segments, cache_shape(cache, config_), like), table};
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
  check(batch, cache);
  const Rows rows = pack(batch, cache);
  RELMPI_CHECK(!rows.segments.empty(), "a forward pass without tokens");
  for (const std::int64_t layer : layers)
    RELMPI_CHECK(layer >= 0 && layer <= config_.num_hidden_layers, "layer {} was asked for", layer);
  slot_ = places_.embedding;
  std::vector<SlotPlan> slots;
  at::Tensor x;
  for (std::size_t slot = 0; slot < places_.devices.size(); ++slot) {
    const auto there = upload({rows.tokens, rows.sequences, rows.positions}, places_.devices[slot]);
    if (slot == slot_) x = weights_.embedding.index_select(0, there[0]);
    slots.push_back(plan_slot(slot, rows.segments, {there[1], there[2], {}}, cache));
  }
  Hidden out;
  const auto keep = [&](std::int64_t layer) {
    if (std::find(layers.begin(), layers.end(), layer) == layers.end()) return;
    out.after[layer] = has_row_loops(x) ? x : x.clone();  // the general path goes on in its place
  };
  keep(0);
  for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
    x = run_layer(i, to_slot(x, places_.layers[i]), slots[places_.layers[i]], cache);
    keep(static_cast<std::int64_t>(i) + 1);
  }
  for (const Segment& segment : rows.segments) cache.advance(segment.sequence, segment.count);
  out.last = to_slot(x, places_.head);
  return out;
}

at::Tensor Decoder::step_logits(const StepInputs& step, const KvCache& cache) const {
  const at::NoGradGuard no_grad;
  at::Tensor x = weights_.embedding.index_select(0, step.tokens);
  RELMPI_CHECK(places_.devices.size() == 1 && !has_row_loops(x));
  const SlotPlan slot{{step.sequences, step.positions,
                       portable::angles_of_rows(step.rope.cosines, step.rope.sines, step.positions)},
                      plan_step(step.positions, step.all ? at::Tensor() : step.sequences, step.slots,
                                cache_shape(cache, config_), x),
                      step.rope};
  for (std::size_t i = 0; i < weights_.layers.size(); ++i) x = run_layer(i, x, slot, cache);
  return logits(x);
}

at::Tensor Decoder::run_layer(std::size_t index, const at::Tensor& x, const SlotPlan& slot,
                              const KvCache& cache) const {
  const LlmLayer& layer = weights_.layers[index];
  const double eps = config_.rms_norm_eps;
  const at::Tensor qkv = project(rms_norm(x, layer.input_norm, eps), layer.qkv, layer.qkv_bias);
  const at::Tensor queries = rotate_and_store(qkv,
                                              {.cosines = slot.rope.cosines,
                                               .sines = slot.rope.sines,
                                               .q_norm = layer.q_norm,
                                               .k_norm = layer.k_norm,
                                               .heads_norm = layer.heads_norm,
                                               .eps = eps},
                                              slot.places, cache.keys(index), cache.values(index));
  const at::Tensor mixed = cached_attention(queries, cache.keys(index), cache.values(index), slot.attention);
  const at::Tensor middle = project(mixed, layer.output, layer.output_bias, x);
  const at::Tensor wide =
      gated(rms_norm(middle, layer.post_attention_norm, eps), layer.gate_up, layer.gate_up_bias);
  return project(wide, layer.down, layer.down_bias, middle);
}

at::Tensor Decoder::logits(const at::Tensor& hidden) const {
  const at::NoGradGuard no_grad;
  const at::Tensor x = rms_norm(hidden.to(weights_.head.device()), weights_.final_norm, config_.rms_norm_eps);
  // Logits are never rounded to 16 bits if the operators allow it: near the greatest, bf16 has steps of
  // an eighth.
  if (has_row_loops(x)) return few_rows_linear(x, weights_.head, {}, {}, at::kFloat);
  if (!x.is_cpu() && x.scalar_type() != at::kFloat) return at::mm(x, weights_.head.t(), at::kFloat);
  return at::linear(x, weights_.head).to(at::kFloat);
}

}  // namespace relmpi
