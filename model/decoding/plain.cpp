#include "model/decoding/plain.h"

#include <chrono>
#include <optional>

#include "base/random.h"
#include "base/torch_headers.h"
#include "model/decoding/device_sampling.h"
#include "model/kernels/own_kernels.h"
#include "model/llm/decode_graphs.h"
#include "model/upload.h"

namespace relmpi {
namespace {

using Clock = std::chrono::steady_clock;

class Plain : public DecodingMethod {
 public:
  Plain(Decoder& decoder, const SamplingOptions& sampling, std::uint64_t seed, RecorderFactory graphs)
      : decoder_(decoder), sampling_(sampling), seed_(seed), make_recorder_(std::move(graphs)) {
    sampling_.validate();
  }

  std::string_view name() const override { return "plain"; }

  void start(std::span<const Sequence> batch, std::int64_t capacity) override {
    const auto sequences = std::ssize(batch);
    if (graphs_ && cache_->sequences() == sequences && cache_->capacity() >= capacity) return cache_->clear();
    graphs_.reset();
    cache_.reset();  // before the next one is there: both may not fit
    cache_ = decoder_.make_cache(sequences, capacity);
    if (auto recorder = make_recorder_ ? make_recorder_(cache_->keys(0).device()) : nullptr)
      graphs_.emplace(decoder_, *cache_, std::move(recorder));
  }

  // One forward pass over what the texts have beyond the cache.
  std::vector<Advance> advance(std::span<const Sequence* const> active) override {
    const auto start = Clock::now();
    std::vector<NewTokens> batch;
    std::vector<std::int64_t> last_rows;
    std::int64_t row = -1;
    for (const Sequence* text : active) {
      const auto cached = static_cast<std::size_t>(cache_->length(text->slot));
      batch.push_back({text->slot, std::span(text->tokens).subspan(cached)});
      last_rows.push_back(row += static_cast<std::int64_t>(batch.back().tokens.size()));
    }
    std::vector<Advance> advances = choose(logits(batch, last_rows), active);
    ++figures_.target_calls;
    figures_.target_seconds += std::chrono::duration<double>(Clock::now() - start).count();
    return advances;
  }

  void keep(std::int64_t slot, std::int64_t tokens) override {
    cache_->truncate(slot, std::min(cache_->length(slot), tokens));
  }

  Figures figures() const override { return figures_; }

 private:
  // Of the last row of each text.
  at::Tensor logits(const std::vector<NewTokens>& batch, const std::vector<std::int64_t>& last_rows) {
    const bool one_each = last_rows.back() + 1 == std::ssize(batch);
    if (graphs_ && one_each) return graphs_->logits(batch);
    const at::Tensor hidden = decoder_.forward(batch, *cache_).last;
    if (one_each) return decoder_.logits(hidden);
    return decoder_.logits(hidden.index_select(0, upload({last_rows}, hidden.device())[0]));
  }

  std::vector<Advance> choose(const at::Tensor& logits, std::span<const Sequence* const> active) const {
    std::vector<std::span<const std::int32_t>> histories;
    std::vector<double> uniforms;
    for (const Sequence* text : active) {
      histories.emplace_back(text->tokens);
      uniforms.push_back(Random(seed_, "next token", text->index, text->answered()).uniform());
    }
    const bool most_probable = sampling_.greedy() && sampling_.repetition_penalty == 1;
    std::vector<Advance> advances(active.size());
    if (most_probable || !own_kernels(logits.device())) {
      const auto tokens = choose_tokens_on_device(logits, histories, sampling_, uniforms);
      for (std::size_t k = 0; k < active.size(); ++k) advances[k].tokens = {tokens[k]};
      return advances;
    }
    const at::Tensor rows = logits.contiguous();
    const auto size = static_cast<std::size_t>(rows.size(1));
    for (std::size_t k = 0; k < active.size(); ++k)
      advances[k].tokens = {
          choose_token({rows.data_ptr<float>() + k * size, size}, histories[k], sampling_, uniforms[k])};
    return advances;
  }

  Decoder& decoder_;
  SamplingOptions sampling_;
  std::uint64_t seed_;
  RecorderFactory make_recorder_;
  std::optional<KvCache> cache_;
  std::optional<DecodeGraphs> graphs_;  // of this cache
  Figures figures_;
};

}  // namespace

std::unique_ptr<DecodingMethod> plain_method(Decoder& decoder, const SamplingOptions& sampling,
                                             std::uint64_t seed, RecorderFactory graphs) {
  return std::make_unique<Plain>(decoder, sampling, seed, std::move(graphs));
}

}  // namespace relmpi
