#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "model/graph_recorder.h"
#include "model/llm/decoder.h"

namespace relmpi {

// Decoding steps whose kernels are started all at once. A step of N sequences is recorded when its shape
// comes for the second time and replayed from then on; a shape is N and the number of slots that attention
// reads, rounded up so that a few shapes cover a text. Logits differ from those of forward() in rounding.
class DecodeGraphs {
 public:
  // `decoder`, which lies on one device, and `cache` outlive it.
  DecodeGraphs(Decoder& decoder, KvCache& cache, std::unique_ptr<GraphRecorder> recorder);

  // As decoder.logits(decoder.forward(batch, cache).last) for one token each: (N, V) fp32 that hold until the
  // next call. After a recording that failed, which a warning tells once, steps go on without graphs.
  at::Tensor logits(const std::vector<NewTokens>& batch);

  std::int64_t recorded() const { return recorded_; }

 private:
  struct Graph;
  using Shape = std::pair<std::int64_t, std::int64_t>;  // sequences, slots

  std::shared_ptr<Graph> graph_for(const Shape& shape, bool all);
  std::shared_ptr<Graph> record(const Shape& shape, bool all);

  Decoder& decoder_;
  KvCache& cache_;
  std::unique_ptr<GraphRecorder> recorder_;
  std::map<std::pair<Shape, bool>, std::shared_ptr<Graph>> graphs_;
  std::int64_t recorded_ = 0;
};

}  // namespace relmpi
