#include "model/llm/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace relmpi {
namespace {

void demand(bool holds, const char* option, double value, const char* rule) {
  if (!holds) throw InputError("{} is {}, but must be {}", option, value, rule);
}

// Keskar et al. 2019, once for each token however often it is there.
void penalise(std::span<float> logits, std::span<const std::int32_t> history, double penalty) {
  if (penalty == 1) return;
  std::vector<std::int32_t> seen(history.begin(), history.end());
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  for (const std::int32_t token : seen) {
    float& logit = logits[static_cast<std::size_t>(token)];
    logit = static_cast<float>(logit < 0 ? logit * penalty : logit / penalty);
  }
}

void normalise(std::vector<Candidate>& list) {
  double sum = 0;
  for (const Candidate& candidate : list) sum += candidate.probability;
  for (Candidate& candidate : list) candidate.probability /= sum;
}

// The most probable tokens, `k` of them, in order, with exp((logit - max) / temperature).
std::vector<Candidate> most_probable(std::span<const float> logits, std::size_t k, double temperature) {
  std::vector<std::int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto before = [&](std::int32_t a, std::int32_t b) {
    const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(), before);
  std::vector<Candidate> list(k);
  const double most = logits[static_cast<std::size_t>(order[0])];
  for (std::size_t i = 0; i < k; ++i)
    list[i] = {order[i], std::exp((logits[static_cast<std::size_t>(order[i])] - most) / temperature)};
  return list;
}

// The fewest whose probabilities reach the share (Holtzman et al. 2020).
void keep_nucleus(std::vector<Candidate>& list, double share) {
  double sum = 0;
  std::size_t kept = 0;
  while (kept < list.size() && sum < share) sum += list[kept++].probability;
  list.resize(std::max<std::size_t>(kept, 1));
}

}  // namespace

void SamplingOptions::validate() const {
  demand(temperature >= 0 && std::isfinite(temperature), "--temperature", temperature, "at least 0");
  demand(top_k >= 0, "--top-k", static_cast<double>(top_k), "at least 0");
  demand(top_p > 0 && top_p <= 1, "--top-p", top_p, "above 0 and at most 1");
  demand(min_p >= 0 && min_p <= 1, "--min-p", min_p, "in [0, 1]");
  demand(repetition_penalty > 0 && std::isfinite(repetition_penalty), "--repetition-penalty",
         repetition_penalty, "above 0");
}

std::vector<Candidate> candidates(std::span<float> logits, std::span<const std::int32_t> history,
                                  const SamplingOptions& options) {
  RELMPI_CHECK(!options.greedy() && !logits.empty());
  penalise(logits, history, options.repetition_penalty);
  std::size_t k = logits.size();
  if (options.top_k > 0) k = std::min(k, static_cast<std::size_t>(options.top_k));
  auto list = most_probable(logits, k, options.temperature);
  normalise(list);
  if (options.top_p < 1) keep_nucleus(list, options.top_p);
  if (options.min_p > 0) {
    const double least = options.min_p * list[0].probability;
    std::erase_if(list, [&](const Candidate& candidate) { return candidate.probability < least; });
  }
  normalise(list);
  return list;
}

std::int32_t choose_token(std::span<float> logits, std::span<const std::int32_t> history,
                          const SamplingOptions& options, double uniform) {
  if (options.greedy()) {
    penalise(logits, history, options.repetition_penalty);
    return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
  const auto list = candidates(logits, history, options);
  double sum = 0;
  for (const Candidate& candidate : list) {
    sum += candidate.probability;
    if (uniform < sum) return candidate.token;
  }
  return list.back().token;  // rounding left the sum a little below 1
}

}  // namespace relmpi
