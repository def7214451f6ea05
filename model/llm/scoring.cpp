#include "model/llm/scoring.h"

#include <algorithm>
#include <set>

#include "base/torch_headers.h"

namespace relmpi {
namespace {

void demand_tokens(const std::vector<std::int32_t>& ids, const char* what) {
  if (ids.empty()) throw InputError("the {} is empty: it has no token", what);
}

// log p of the token that follows the last row of hidden states (N, H); (N, V) in fp64 on the host.
at::Tensor log_probabilities(Decoder& decoder, const at::Tensor& hidden) {
  return at::log_softmax(decoder.logits(hidden).to(at::kCPU, at::kDouble), -1);
}

ContinuationScore score_of(const at::Tensor& log_p, const std::vector<std::int32_t>& continuation) {
  ContinuationScore score;
  for (std::size_t i = 0; i < continuation.size(); ++i) {
    const at::Tensor row = log_p[static_cast<std::int64_t>(i)];
    const double value = row[continuation[i]].item<double>();
    score.token_log_p.push_back(value);
    score.log_likelihood += value;
    score.greedy = score.greedy && row.argmax().item<std::int64_t>() == continuation[i];
  }
  return score;
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
    for (const std::int32_t id : continuation)
      if (id < 0 || id >= llm.decoder.config().vocab_size)
        throw InputError("token id {} is outside the vocabulary of {} tokens", id,
                         llm.decoder.config().vocab_size);
    longest = std::max(longest, continuation.size());
  }
  const auto start = static_cast<std::int64_t>(context.size());
  KvCache cache = llm.decoder.make_cache(1, start + static_cast<std::int64_t>(longest) - 1);
  const at::Tensor before = llm.decoder.forward({{0, context}}, cache).last.narrow(0, start - 1, 1);
  std::vector<ContinuationScore> scores;
  for (const auto& continuation : continuations) {
    at::Tensor rows = before;
    cache.truncate(0, start);
    if (continuation.size() > 1) {
      // The last token predicts nothing that is asked for.
      const auto fed = std::span(continuation).first(continuation.size() - 1);
      rows = at::cat({before, llm.decoder.forward({{0, fed}}, cache).last});
    }
    scores.push_back(score_of(log_probabilities(llm.decoder, rows), continuation));
  }
  return scores;
}

LabelDistribution next_token_distribution(Llm& llm, const std::vector<std::int32_t>& context,
                                          const std::vector<std::int32_t>& labels) {
  const at::NoGradGuard no_grad;
  demand_tokens(context, "context");
  demand_tokens(labels, "label set");
  if (std::set<std::int32_t>(labels.begin(), labels.end()).size() != labels.size())
    throw InputError("a label is there twice; each must be a token of its own");
  for (const std::int32_t id : labels)
    if (id < 0 || id >= llm.decoder.config().vocab_size)
      throw InputError("token id {} is outside the vocabulary of {} tokens", id,
                       llm.decoder.config().vocab_size);
  const auto length = static_cast<std::int64_t>(context.size());
  KvCache cache = llm.decoder.make_cache(1, length);
  const at::Tensor last = llm.decoder.forward({{0, context}}, cache).last.narrow(0, length - 1, 1);
  const at::Tensor log_p = log_probabilities(llm.decoder, last)[0];
  LabelDistribution out;
  for (const std::int32_t id : labels) out.probabilities.push_back(log_p[id].exp().item<double>());
  for (const double p : out.probabilities) out.mass += p;
  // Where all of them round to nothing, their logits still tell them apart.
  const at::Tensor chosen =
      log_p.index_select(0, at::tensor(std::vector<std::int64_t>(labels.begin(), labels.end())));
  const at::Tensor shares = at::softmax(chosen, 0);
  for (std::size_t i = 0; i < labels.size(); ++i)
    out.probabilities[i] = shares[static_cast<std::int64_t>(i)].item<double>();
  return out;
}

}  // namespace relmpi
