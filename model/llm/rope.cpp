#include "model/llm/rope.h"

#include <cmath>
#include <numbers>

#include "base/torch_headers.h"

namespace relmpi {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

at::Tensor llama3(const at::Tensor& frequencies, const RopeConfig& rope) {
  const auto trained = static_cast<double>(rope.original_max_position_embeddings);
  const at::Tensor waves = at::reciprocal(frequencies) * kTurn;
  const at::Tensor slow = frequencies / rope.factor;
  const at::Tensor share = (at::reciprocal(waves) * trained - rope.low_freq_factor) /
                           (rope.high_freq_factor - rope.low_freq_factor);
  const at::Tensor between = (1 - share) * slow + share * frequencies;
  const double longest_kept = trained / rope.high_freq_factor, shortest_slow = trained / rope.low_freq_factor;
  return at::where(waves > shortest_slow, slow, at::where(waves < longest_kept, frequencies, between));
}

// The pair whose wave turns `turns` times within the trained length (YaRN's inverse of the wavelength).
double pair_with_turns(double turns, const LlmConfig& config) {
  return static_cast<double>(config.head_dim) *
         std::log(static_cast<double>(config.rope.original_max_position_embeddings) / (turns * kTurn)) /
         (2 * std::log(config.rope.theta));
}

at::Tensor yarn(const at::Tensor& frequencies, const LlmConfig& config) {
  const RopeConfig& rope = config.rope;
  double low = pair_with_turns(rope.beta_fast, config), high = pair_with_turns(rope.beta_slow, config);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(config.head_dim - 1));
  if (low == high) high += 0.001;  // keeps the ramp finite
  const at::Tensor pairs = at::arange(config.head_dim / 2, at::kFloat);
  const at::Tensor kept = 1 - ((pairs - low) / (high - low)).clamp(0, 1);
  return frequencies / rope.factor * (1 - kept) + frequencies * kept;
}

double magnitude(double factor, double weight) {
  return factor <= 1 ? 1.0 : 0.1 * weight * std::log(factor) + 1.0;
}

// What both tables are multiplied by (YaRN's temperature on the attention).
double attention_factor(const RopeConfig& rope) {
  if (rope.scaling != RopeScaling::kYarn) return 1;
  if (rope.attention_factor) return *rope.attention_factor;
  if (rope.mscale.value_or(0) != 0 && rope.mscale_all_dim.value_or(0) != 0)
    return magnitude(rope.factor, *rope.mscale) / magnitude(rope.factor, *rope.mscale_all_dim);
  return magnitude(rope.factor, 1);
}

}  // namespace

RopeTable rope_table(const LlmConfig& config, std::int64_t positions, at::Device device) {
  const at::Tensor exponents = at::arange(0, config.head_dim, 2, at::kFloat) / config.head_dim;
  at::Tensor frequencies = at::reciprocal(at::pow(config.rope.theta, exponents));
  if (config.rope.scaling == RopeScaling::kLlama3) frequencies = llama3(frequencies, config.rope);
  if (config.rope.scaling == RopeScaling::kYarn) frequencies = yarn(frequencies, config);
  const at::Tensor angles = at::arange(positions, at::kFloat).unsqueeze(1) * frequencies;
  const double factor = attention_factor(config.rope);
  return {(angles.cos() * factor).to(device), (angles.sin() * factor).to(device)};
}

}  // namespace relmpi
