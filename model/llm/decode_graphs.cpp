#include "model/llm/decode_graphs.h"

#include <algorithm>
#include <bit>

#include "base/torch_headers.h"
#include "model/upload.h"

namespace relmpi {
namespace {

// Each keeps some megabytes of kernels and its logits.
constexpr std::int64_t kMostGraphs = 64;

// Up to the next quarter of a power of two, at least 64: attention reads a quarter more than it needs at
// most.
std::int64_t rounded_slots(std::int64_t slots, std::int64_t capacity) {
  const auto floor = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(slots)));
  const std::int64_t step = std::max<std::int64_t>(64, floor / 4);
  return std::min(capacity, (slots + step - 1) / step * step);
}

}  // namespace

// What the graph reads and writes stays where it is.
struct DecodeGraphs::Graph {
  at::Tensor rows;  // (3, N) int64: ids, sequences, positions
  RopeTable rope;
  at::Tensor logits;
  std::function<void()> run;
};

DecodeGraphs::DecodeGraphs(Decoder& decoder, KvCache& cache, std::unique_ptr<GraphRecorder> recorder)
    : decoder_(decoder), cache_(cache), recorder_(std::move(recorder)) {}

at::Tensor DecodeGraphs::logits(const std::vector<NewTokens>& batch) {
  decoder_.check(batch, cache_);
  const auto count = std::ssize(batch);
  std::vector<std::int64_t> rows(static_cast<std::size_t>(3 * count));
  std::int64_t slots = 0;
  bool all = count == cache_.sequences();
  for (std::int64_t i = 0; i < count; ++i) {
    const NewTokens& one = batch[static_cast<std::size_t>(i)];
    RELMPI_CHECK(one.tokens.size() == 1, "{} tokens in a step of one each", one.tokens.size());
    const std::int64_t position = cache_.length(one.sequence);
    const auto at = static_cast<std::size_t>(i), n = static_cast<std::size_t>(count);
    rows[at] = one.tokens[0];
    rows[n + at] = one.sequence;
    rows[2 * n + at] = position;
    slots = std::max(slots, position + 1);
    all = all && one.sequence == i;
  }
  const auto graph = graph_for({count, rounded_slots(slots, cache_.capacity())}, all);
  if (!graph) return decoder_.logits(decoder_.forward(batch, cache_).last);
  graph->rows.view({-1}).copy_(upload({rows}, graph->rows.device())[0]);
  graph->run();
  for (const NewTokens& one : batch) cache_.advance(one.sequence, 1);
  return graph->logits;
}

// Null: run without. The first step of a shape runs so, which makes what libraries make at their first call.
std::shared_ptr<DecodeGraphs::Graph> DecodeGraphs::graph_for(const Shape& shape, bool all) {
  if (!recorder_) return nullptr;
  const auto [found, first] = graphs_.try_emplace({shape, all});
  if (first || found->second || recorded_ == kMostGraphs) return found->second;
  try {
    found->second = record(shape, all);
  } catch (const c10::Error& error) {
    spdlog::warn("recording a decoding step as a CUDA graph failed, so decoding goes on without: {}",
                 error.what_without_backtrace());
    recorder_.reset();
    graphs_.clear();
    return nullptr;
  }
  ++recorded_;
  return found->second;
}

std::shared_ptr<DecodeGraphs::Graph> DecodeGraphs::record(const Shape& shape, bool all) {
  auto graph = std::make_shared<Graph>();
  graph->rows = at::zeros({3, shape.first}, at::TensorOptions(at::kLong).device(cache_.keys(0).device()));
  graph->rope = decoder_.rope(0, cache_.capacity());
  const StepInputs step{.tokens = graph->rows[0],
                        .sequences = graph->rows[1],
                        .positions = graph->rows[2],
                        .all = all,
                        .slots = shape.second,
                        .rope = graph->rope};
  graph->run = recorder_->record(
      [this, step, graph = graph.get()] { graph->logits = decoder_.step_logits(step, cache_); });
  return graph;
}

}  // namespace relmpi
