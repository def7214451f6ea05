#pragma once

#include <functional>
#include <memory>

#include "model/decoding/method.h"
#include "model/decoding/sampling.h"
#include "model/graph_recorder.h"
#include "model/llm/decoder.h"

namespace relmpi {

using RecorderFactory = std::function<std::unique_ptr<GraphRecorder>(c10::Device)>;

// One token a forward pass. Token i of an answer is drawn from the random stream (seed, request, i), whatever
// its batch is. On a CPU in fp32 and bf16, for up to kFewRows texts, an answer has the same bits in any
// batch. Elsewhere products round differently for different numbers of rows, so that a near tie may turn out
// differently. `decoder` outlives the method. advance() throws RuntimeError for logits that are not finite.
// `graphs` makes recorders for DecodeGraphs, as make_graph_recorder does: where there is one, steps are
// replayed; then `decoder` lies on one device.
std::unique_ptr<DecodingMethod> plain_method(Decoder& decoder, const SamplingOptions& sampling = {},
                                             std::uint64_t seed = 0, RecorderFactory graphs = {});

}  // namespace relmpi
