#include "model/dgca/flops.h"

namespace relmpi {

double encoder_flops(const ModelConfig& config, const std::vector<std::int64_t>& lengths) {
  const auto h = static_cast<double>(config.hidden_size), i = static_cast<double>(config.intermediate_size);
  double sum = 0;
  for (const std::int64_t n : lengths) {
    const auto s = static_cast<double>(2 * (n + config.border()));
    sum += 2 * s * (4 * h * h + 2 * h * i) + 4 * s * s * h;
  }
  return sum * static_cast<double>(config.num_hidden_layers);
}

double head_training_flops(const ModelConfig& config, std::int64_t characters, std::int64_t masked) {
  const auto h = static_cast<double>(config.hidden_size), v = static_cast<double>(config.vocab_size);
  const auto n = static_cast<double>(characters), m = static_cast<double>(masked);
  const bool candidates_alone = config.has_candidates() && config.output == Output::kCandidates;
  const double answered = candidates_alone ? m : n + m;  // positions of the vocabulary head
  double sum = answered * (3 * 2 * h * h + 4 * 2 * h * v);
  if (config.has_detector()) sum += n * 3 * 2 * h * h;
  if (config.has_candidates()) sum += n * 3 * (2 * h * h + 2 * static_cast<double>(config.candidates) * h);
  return sum;
}

}  // namespace relmpi
