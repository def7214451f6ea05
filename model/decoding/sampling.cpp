#include "model/decoding/sampling.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/error.h"

namespace relmpi {
namespace {

// Keskar et al. 2019, once for each token however often it is there.
void penalise(std::span<float> logits, std::span<const std::int32_t> history, double penalty) {
  if (penalty == 1) return;
  std::vector<bool> seen(logits.size(), false);
  for (const std::int32_t token : history) {
    const auto at = static_cast<std::size_t>(token);
    if (seen[at]) continue;
    seen[at] = true;
    logits[at] = static_cast<float>(logits[at] < 0 ? logits[at] * penalty : logits[at] / penalty);
  }
}

// Where the greatest is, the first one if several are.
std::size_t greatest(std::span<const float> logits) {
  std::size_t best = 0;
  bool finite = true;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    finite = finite && std::isfinite(logits[i]);
    if (logits[i] > logits[best]) best = i;
  }
  if (!finite) logits_not_finite();
  return best;
}

// The least logit that top-k keeps.
float kth_greatest(std::span<const float> logits, std::size_t k) {
  std::vector<float> sorted(logits.begin(), logits.end());
  const auto kth = sorted.begin() + static_cast<std::ptrdiff_t>(k) - 1;
  std::nth_element(sorted.begin(), kth, sorted.end(), std::greater<>());
  return *kth;
}

void normalise(std::vector<Candidate>& list) {
  double sum = 0;
  for (const Candidate& candidate : list) sum += candidate.probability;
  for (Candidate& candidate : list) candidate.probability /= sum;
}

// The fewest whose probabilities reach the share (Holtzman et al. 2020). They are few as a rule: the most
// probable are sorted in growing portions, until they are enough.
void keep_nucleus(std::vector<Candidate>& list, double share) {
  std::vector<Candidate> order = list;
  const auto before = [](const Candidate& a, const Candidate& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.token < b.token;
  };
  double sum = 0;
  std::size_t kept = 0;
  for (std::size_t sorted = 0, portion = 64; kept < order.size() && sum < share; portion *= 4) {
    const std::size_t end = std::min(order.size(), sorted + portion);
    const auto at = [&](std::size_t i) { return order.begin() + static_cast<std::ptrdiff_t>(i); };
    std::partial_sort(at(sorted), at(end), order.end(), before);
    for (sorted = end; kept < end && sum < share; ++kept) sum += order[kept].probability;
  }
  const Candidate last = order[std::max<std::size_t>(kept, 1) - 1];
  std::erase_if(list, [&](const Candidate& candidate) { return before(last, candidate); });
}

}  // namespace

void SamplingOptions::validate() const {
  demand(temperature >= 0 && std::isfinite(temperature), "--temperature", temperature, "at least 0");
  demand(top_k >= 0, "--top-k", top_k, "at least 0");
  demand(top_p > 0 && top_p <= 1, "--top-p", top_p, "above 0 and at most 1");
  demand(min_p >= 0 && min_p <= 1, "--min-p", min_p, "in [0, 1]");
  demand(repetition_penalty > 0 && std::isfinite(repetition_penalty), "--repetition-penalty",
         repetition_penalty, "above 0");
}

void logits_not_finite() {
  throw RuntimeError(
      "the model's logits are not finite: its weights are damaged, or too large for fp16 (--dtype bf16 or "
      "fp32)");
}

std::vector<Candidate> candidates(std::span<float> logits, std::span<const std::int32_t> history,
                                  const SamplingOptions& options) {
  RELMPI_CHECK(!options.greedy() && !logits.empty());
  penalise(logits, history, options.repetition_penalty);
  const float most = logits[greatest(logits)];
  const bool all = options.top_k == 0 || static_cast<std::size_t>(options.top_k) >= logits.size();
  const float least = all ? std::numeric_limits<float>::lowest()
                          : kth_greatest(logits, static_cast<std::size_t>(options.top_k));
  std::vector<Candidate> list;
  if (all) list.reserve(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (logits[i] >= least)
      list.push_back({static_cast<std::int32_t>(i),
                      std::exp((static_cast<double>(logits[i]) - most) / options.temperature)});
  normalise(list);
  if (options.top_p < 1) keep_nucleus(list, options.top_p);
  if (options.min_p > 0) {
    double greatest_share = 0;
    for (const Candidate& candidate : list) greatest_share = std::max(greatest_share, candidate.probability);
    std::erase_if(list, [&](const Candidate& candidate) {
      return candidate.probability < options.min_p * greatest_share;
    });
  }
  normalise(list);
  return list;
}

std::int32_t choose_token(std::span<float> logits, std::span<const std::int32_t> history,
                          const SamplingOptions& options, double uniform) {
  if (options.greedy()) {
    penalise(logits, history, options.repetition_penalty);
    return static_cast<std::int32_t>(greatest(logits));
  }
  const auto list = candidates(logits, history, options);
  double sum = 0;
  for (const Candidate& candidate : list) {
    sum += candidate.probability;
    if (uniform < sum) return candidate.token;
  }
  // Rounding left the sum a little below 1.
  return std::find_if(list.rbegin(), list.rend(), [](const Candidate& one) { return one.probability > 0; })
      ->token;
}

}  // namespace relmpi
