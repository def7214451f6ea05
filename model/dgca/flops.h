#pragma once

#include <cstdint>
#include <vector>

#include "model/dgca/config.h"

namespace relmpi {

// Floating-point operations (a multiplication and an addition are two) of the matrix products of one batch,
// padding left out. `lengths`: characters n of each row; a row has S = 2n + 2P slots.

// Encoder, forward: L * sum over rows of 2 S (4 H^2 + 2 H I) + 4 S^2 H.
double encoder_flops(const ModelConfig& config, const std::vector<std::int64_t>& lengths);

// Detector, candidate head and vocabulary head, forward and backward, with the vocabulary's logits computed
// twice. `masked`: masked source characters, which the vocabulary head answers too.
double head_training_flops(const ModelConfig& config, std::int64_t characters, std::int64_t masked);

}  // namespace relmpi
