#include "model/decoding/plain.h"

#include <chrono>
#include <optional>

#include "base/random.h"
#include "base/torch_headers.h"

namespace relmpi {
namespace {

using Clock = std::chrono::steady_clock;

class Plain : public DecodingMethod {
 public:
  Plain(Decoder& decoder, const SamplingOptions& sampling, std::uint64_t seed)
      : decoder_(decoder), sampling_(sampling), seed_(seed) {
    sampling_.validate();
  }

  std::string_view name() const override { return "plain"; }

  void start(std::span<const Sequence> batch, std::int64_t capacity) override {
    cache_.reset();  // before the next one is there: both may not fit
    cache_ = decoder_.make_cache(static_cast<std::int64_t>(batch.size()), capacity);
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
    at::Tensor hidden = decoder_.forward(batch, *cache_).last;
    if (hidden.size(0) > static_cast<std::int64_t>(active.size()))
      hidden = hidden.index_select(0, at::tensor(last_rows, at::kLong).to(hidden.device()));
    std::vector<Advance> advances = choose(decoder_.logits(hidden), active);
    ++figures_.target_calls;
    figures_.target_seconds += std::chrono::duration<double>(Clock::now() - start).count();
    return advances;
  }

  void keep(std::int64_t slot, std::int64_t tokens) override {
    cache_->truncate(slot, std::min(cache_->length(slot), tokens));
  }

  Figures figures() const override { return figures_; }

 private:
  std::vector<Advance> choose(const at::Tensor& logits, std::span<const Sequence* const> active) const {
    std::vector<Advance> advances(active.size());
    if (sampling_.greedy() && sampling_.repetition_penalty == 1) {
      const auto [most, best] = logits.max(-1);  // of a row with a NaN the maximum is NaN
      const at::Tensor chosen = best.masked_fill(most.isfinite().logical_not_(), -1).to(at::kCPU);
      for (std::size_t k = 0; k < active.size(); ++k) {
        advances[k].tokens = {static_cast<std::int32_t>(chosen.const_data_ptr<std::int64_t>()[k])};
        if (advances[k].tokens[0] < 0) logits_not_finite();
      }
      return advances;
    }
    const at::Tensor host = logits.to(at::kCPU).contiguous();
    for (std::size_t k = 0; k < active.size(); ++k) {
      const auto row = host[static_cast<std::int64_t>(k)];
      const Sequence& text = *active[k];
      Random random(seed_, "next token", text.index, text.answered());
      advances[k].tokens = {choose_token({row.data_ptr<float>(), static_cast<std::size_t>(row.numel())},
                                         text.tokens, sampling_, random.uniform())};
    }
    return advances;
  }

  Decoder& decoder_;
  SamplingOptions sampling_;
  std::uint64_t seed_;
  std::optional<KvCache> cache_;
  Figures figures_;
};

}  // namespace

std::unique_ptr<DecodingMethod> plain_method(Decoder& decoder, const SamplingOptions& sampling,
                                             std::uint64_t seed) {
  return std::make_unique<Plain>(decoder, sampling, seed);
}

}  // namespace relmpi
