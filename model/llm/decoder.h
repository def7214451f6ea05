#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <vector>

#include "model/kernels/row_operations.h"
#include "model/llm/cached_attention.h"
#include "model/llm/config.h"
#include "model/llm/kv_cache.h"
#include "model/llm/places.h"
#include "model/llm/rope.h"
#include "model/llm/weights.h"

namespace relmpi {

// New tokens of one sequence of a cache.
struct NewTokens {
  std::int64_t sequence;
  std::span<const std::int32_t> tokens;
};

// What one forward pass leaves behind: rows of all sequences one below the other, in the order given.
struct Hidden {
  at::Tensor last;                           // (N, H) after the last layer
  std::map<std::int64_t, at::Tensor> after;  // (N, H) after the layers asked for; 0 = the embeddings
};

// One new token each of N sequences, where a step that nothing on the host decides finds it.
struct StepInputs {
  at::Tensor tokens, sequences, positions;  // (N) int64 on the decoder's device
  bool all = false;                         // the sequences are all of the cache's, in order
  std::int64_t slots = 0;                   // of the cache that attention reads: more than every position
  RopeTable rope;                           // of the cache's positions
};

// A decoder LLM for inference: Llama (Touvron et al. 2023), Qwen2 or Qwen3.
//
// Rows of sequences of different lengths are packed, never padded. On a CPU in fp32 and bf16, a pass of up to
// kFewRows rows (32) gives each row the same bits whatever the other rows are (few_rows_linear.h,
// cpu_attention.h): decoding does not depend on the batch, and a draft that is checked in one pass gets the
// bits of decoding token by token. Longer passes, and GPUs, use libtorch's products, which round differently
// for different numbers of rows.
class Decoder {
 public:
  // Loads the folder's weights in `dtype` (fp32, bf16, fp16).
  Decoder(const std::filesystem::path& folder, LlmConfig config, at::ScalarType dtype, LlmPlaces places);

  const LlmConfig& config() const { return config_; }
  const LlmPlaces& places() const { return places_; }
  const LlmWeights& weights() const { return weights_; }

  KvCache make_cache(std::int64_t sequences, std::int64_t capacity) const;

  // Runs new tokens, which follow on what `cache` holds, and puts their keys and values into it. `layers`:
  // whose outputs to keep, 0 (the embeddings) to num_hidden_layers. Throws InputError for an id outside the
  // vocabulary or a sequence that outgrows the cache; the cache is as before then.
  Hidden forward(const std::vector<NewTokens>& batch, KvCache& cache,
                 const std::vector<std::int64_t>& layers = {});

  // Throws InputError as forward() does, and changes nothing.
  void check(const std::vector<NewTokens>& batch, const KvCache& cache) const;

  // A decoding step as work of one device alone, the same whatever the inputs' values are, to be recorded as
  // a graph: forward() and logits() on the general path, (N, V) fp32. Only for a decoder whose layers all lie
  // on one device. Checks no values and does not advance the cache.
  at::Tensor step_logits(const StepInputs& step, const KvCache& cache) const;

  // Angles of at least the first `positions` positions, for the layers of a slot.
  const RopeTable& rope(std::size_t slot, std::int64_t positions);

  // Final norm, then head, of hidden rows (N, H) from any layer and device: (N, V) fp32 on the head's device.
  at::Tensor logits(const at::Tensor& hidden) const;

  // Activations copied from one slot to another so far.
  std::int64_t copies() const { return copies_; }

 private:
  struct SlotPlan;
  SlotPlan plan_slot(std::size_t slot, const std::vector<Segment>& segments, RowPlaces places,
                     const KvCache& cache);
  at::Tensor to_slot(const at::Tensor& x, std::size_t slot);
  at::Tensor run_layer(std::size_t index, const at::Tensor& x, const SlotPlan& slot,
                       const KvCache& cache) const;

  LlmConfig config_;
  at::ScalarType dtype_;
  LlmPlaces places_;
  LlmWeights weights_;
  std::vector<RopeTable> ropes_;  // of the slots
  std::size_t slot_ = 0;          // where the activations of the pass are
  std::int64_t copies_ = 0;
};

}  // namespace relmpi
