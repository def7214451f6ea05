#include "model/decoding/device_sampling.h"

#include <cmath>
#include <limits>
#include <set>

#include "base/torch_headers.h"
#include "model/upload.h"

namespace relmpi {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

// Keskar et al. 2019, once for each token of a row's text.
at::Tensor penalised(const at::Tensor& logits, const std::vector<std::span<const std::int32_t>>& histories,
                     double penalty) {
  if (penalty == 1) return logits;
  std::vector<std::int64_t> rows, tokens;
  for (std::size_t row = 0; row < histories.size(); ++row)
    for (const std::int32_t token : std::set<std::int32_t>(histories[row].begin(), histories[row].end())) {
      rows.push_back(static_cast<std::int64_t>(row));
      tokens.push_back(token);
    }
  const auto there = upload({rows, tokens}, logits.device());
  const at::Tensor seen = logits.index({there[0], there[1]});
  return logits.index_put({there[0], there[1]}, at::where(seen < 0, seen * penalty, seen / penalty));
}

// (N, V) fp64 in the order of the tokens, 0 for one that is filtered out.
at::Tensor probabilities(at::Tensor logits, const SamplingOptions& options) {
  if (options.top_k > 0 && options.top_k < logits.size(1)) {
    const at::Tensor least = std::get<0>(logits.topk(options.top_k, 1)).narrow(1, options.top_k - 1, 1);
    logits = logits.masked_fill(logits < least, kMinusInfinity);
  }
  at::Tensor p = at::softmax(logits.to(at::kDouble) / options.temperature, 1);
  if (options.top_p < 1) {
    const auto [sorted, order] = p.sort(/*stable=*/true, 1, /*descending=*/true);
    const at::Tensor kept = (sorted.cumsum(1) - sorted) < options.top_p;  // what comes before is not enough
    p = at::zeros_like(p).scatter(1, order, sorted * kept);
  }
  if (options.min_p > 0) p = p * (p >= p.amax(1, /*keepdim=*/true) * options.min_p);
  return p / p.sum(1, /*keepdim=*/true);
}

// The first token at which the sum passes the uniform number; the last that may come, if rounding left the
// sum below it.
at::Tensor drawn(const at::Tensor& p, const std::vector<double>& uniforms) {
  const at::Tensor sums = p.cumsum(1);
  at::Tensor u = at::empty({p.size(0), 1}, at::TensorOptions(at::kDouble).pinned_memory(p.is_cuda()));
  std::copy(uniforms.begin(), uniforms.end(), u.data_ptr<double>());
  const at::Tensor past =
      at::searchsorted(sums, u.to(p.device(), /*non_blocking=*/true), false, /*right=*/true);
  const at::Tensor last = p.size(1) - 1 - p.gt(0).flip(1).to(at::kInt).argmax(1, /*keepdim=*/true);
  return at::minimum(past, last).squeeze(1);
}

}  // namespace

std::vector<std::int32_t> choose_tokens_on_device(const at::Tensor& logits,
                                                  const std::vector<std::span<const std::int32_t>>& histories,
                                                  const SamplingOptions& options,
                                                  const std::vector<double>& uniforms) {
  const at::Tensor z = penalised(logits, histories, options.repetition_penalty);
  const auto [most, best] = z.max(-1);  // of a row with a NaN the maximum is NaN
  const at::Tensor chosen = options.greedy() ? best : drawn(probabilities(z, options), uniforms);
  const at::Tensor host = at::stack({most.to(at::kDouble), chosen.to(at::kDouble)}).to(at::kCPU);
  const std::span greatest(host.const_data_ptr<double>(), static_cast<std::size_t>(logits.size(0)));
  std::vector<std::int32_t> tokens;
  for (std::size_t row = 0; row < greatest.size(); ++row) {
    if (!std::isfinite(greatest[row])) logits_not_finite();
    tokens.push_back(static_cast<std::int32_t>(greatest.data()[greatest.size() + row]));
  }
  return tokens;
}

}  // namespace relmpi
