#pragma once

#include <memory>

#include "model/dgca/encoder.h"

namespace relmpi {

// Slots a row are rounded up to a multiple of this, so that a few shapes cover all batches.
inline constexpr std::int64_t kGraphWidthMultiple = 8;

// encode() in training mode, for when launching kernels costs more than running them: the forward and the
// backward pass of each shape (B, S) are captured as two CUDA graphs when the shape comes for the second
// time, and replayed from then on. Draws the same dropout as encode() from the same seed. Replays add to the
// leaves' gradients but call no hooks.
class GraphedEncoder {
 public:
  virtual ~GraphedEncoder() = default;
  // As encode(); `inputs` of an InputBuilder with kGraphWidthMultiple. `prompt` (2P, H) may be undefined.
  virtual at::Tensor encode(const Weights& weights, const Inputs& inputs, const at::Tensor& prompt) = 0;
};

// Null, after a line in the log that says why, without a GPU. encode() throws RuntimeError if a capture
// fails: an invalid capture leaves the generator of the dropout unusable.
std::unique_ptr<GraphedEncoder> make_graphed_encoder(const Parameters& parameters, const ModelConfig& config,
                                                     at::ScalarType dtype);

}  // namespace relmpi
