#include "model/decoding/scoring.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/torch_headers.h"
#include "model/decoding/sampling.h"

namespace relmpi {
namespace {

// Of rows of logits (N, V) in fp32; (N) in fp64.
at::Tensor log_sum_exp(const at::Tensor& logits) { return logits.to(at::kDouble).logsumexp(-1); }

void demand_tokens(const std::vector<std::int32_t>& ids, const char* what) {
  if (ids.empty()) throw InputError("the {} is empty: it has no token", what);
}

// Adds what rows of hidden states (N, H) say of the tokens that follow them. A few rows at a time: all logits
// of a long text would take gigabytes.
void add_rows(const Decoder& decoder, const at::Tensor& hidden, std::span<const std::int32_t> tokens,
              ContinuationScore& score) {
  constexpr std::int64_t kRows = 32;
  RELMPI_CHECK(hidden.size(0) == static_cast<std::int64_t>(tokens.size()));
  for (std::int64_t first = 0; first < hidden.size(0); first += kRows) {
    const std::int64_t count = std::min(kRows, hidden.size(0) - first);
    const auto part = tokens.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    const at::Tensor logits = decoder.logits(hidden.narrow(0, first, count));
    const at::Tensor next =
        at::tensor(std::vector<std::int64_t>(part.begin(), part.end())).to(logits.device()).unsqueeze(1);
    const at::Tensor log_p =
        (logits.gather(1, next).squeeze(1).to(at::kDouble) - log_sum_exp(logits)).to(at::kCPU);
    const at::Tensor greedy = (logits.argmax(-1, /*keepdim=*/true) == next).squeeze(1).to(at::kCPU);
    for (std::int64_t i = 0; i < count; ++i) {
      const double value = log_p.const_data_ptr<double>()[i];
      if (!std::isfinite(value)) logits_not_finite();
      score.token_log_p.push_back(value);
      score.log_likelihood += value;
      score.greedy = score.greedy && greedy.const_data_ptr<bool>()[i];
    }
  }
}

}  // namespace

std::vector<ContinuationScore> score_continuations(
    Llm& llm, const std::vector<std::int32_t>& context,
    const std::vector<std::vector<std::int32_t>>& continuations) {
  const at::NoGradGuard no_grad;
  demand_tokens(context, "context");
  std::size_t longest = 1;
  for (const auto& continuation : continuations) {
    demand_tokens(continuation, "continuation");
    llm.decoder.config().demand_in_vocabulary(continuation);
    longest = std::max(longest, continuation.size());
  }
  const auto start = static_cast<std::int64_t>(context.size());
  KvCache cache = llm.decoder.make_cache(1, start + static_cast<std::int64_t>(longest) - 1);
  const at::Tensor before = llm.decoder.forward({{0, context}}, cache).last.narrow(0, start - 1, 1);
  std::vector<ContinuationScore> scores;
  for (const auto& continuation : continuations) {
    const std::span tokens(continuation);
    ContinuationScore& score = scores.emplace_back();
    add_rows(llm.decoder, before, tokens.first(1), score);
    if (tokens.size() == 1) continue;
    // The last token predicts nothing that is asked for.
    cache.truncate(0, start);
    const at::Tensor rows = llm.decoder.forward({{0, tokens.first(tokens.size() - 1)}}, cache).last;
    add_rows(llm.decoder, rows, tokens.subspan(1), score);
  }
  return scores;
}

LabelDistribution next_token_distribution(Llm& llm, const std::vector<std::int32_t>& context,
                                          const std::vector<std::int32_t>& labels) {
  const at::NoGradGuard no_grad;
  demand_tokens(context, "context");
  demand_tokens(labels, "label set");
  if (std::set<std::int32_t>(labels.begin(), labels.end()).size() != labels.size())
    throw InputError("a label is given twice; each must be a token of its own");
  llm.decoder.config().demand_in_vocabulary(labels);
  const auto length = static_cast<std::int64_t>(context.size());
  KvCache cache = llm.decoder.make_cache(1, length);
  const at::Tensor last = llm.decoder.forward({{0, context}}, cache).last.narrow(0, length - 1, 1);
  const at::Tensor logits = llm.decoder.logits(last);
  const at::Tensor chosen =
      logits[0]
          .index_select(
              0, at::tensor(std::vector<std::int64_t>(labels.begin(), labels.end())).to(logits.device()))
          .to(at::kDouble);
  const at::Tensor shares = at::softmax(chosen, 0).to(at::kCPU);
  LabelDistribution out;
  out.probabilities.assign(shares.const_data_ptr<double>(), shares.const_data_ptr<double>() + shares.numel());
  out.mass = (chosen - log_sum_exp(logits)).exp().sum().item<double>();
  if (!std::isfinite(out.mass)) logits_not_finite();
  return out;
}

}  // namespace relmpi
