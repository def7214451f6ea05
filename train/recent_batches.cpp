#include "train/recent_batches.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"

namespace relmpi {
namespace {

constexpr std::size_t kShown = 64;

}  // namespace

void RecentBatches::add(std::int64_t step, const StepBatches& batches, const std::vector<at::Tensor>& sums) {
  RELMPI_CHECK(sums.size() == batches.micro_batches.size(), "a sum for each micro-batch");
  for (std::size_t m = 0; m < sums.size(); ++m) {
    const Batch& batch = batches.micro_batches[m];
    batches_.push_back({step, batches.epoch, {batch.sentences, batch.sentences + batch.rows}, sums[m]});
  }
}

std::vector<std::string> RecentBatches::not_finite() const {
  if (batches_.empty()) return {};
  std::vector<at::Tensor> sums;
  for (const Entry& entry : batches_) sums.push_back(entry.sums);
  const at::Tensor finite = at::stack(sums).isfinite().all(1).to(at::kCPU);
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < batches_.size(); ++i) {
    if (finite[static_cast<std::int64_t>(i)].item<bool>()) continue;
    std::vector<std::int64_t> sentences = batches_[i].sentences;
    std::ranges::sort(sentences);
    const std::size_t more = sentences.size() - std::min(sentences.size(), kShown);
    sentences.resize(sentences.size() - more);
    lines.push_back(fmt::format("step {}, epoch {}: sentences {}{}", batches_[i].step, batches_[i].epoch,
                                fmt::join(sentences, " "),
                                more > 0 ? fmt::format(" and {} more", more) : ""));
  }
  return lines;
}

}  // namespace relmpi
