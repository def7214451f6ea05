#include "dist/devices/peak_memory.h"

#include <c10/core/Allocator.h>
#include <c10/util/Logging.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>

#include "base/torch_headers.h"
#if RELMPI_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#endif

namespace relmpi {
namespace {

// Hears of every allocation of the CPU allocator on this thread.
class HostCounter : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device device) override {
    if (!device.is_cpu()) return;
    now_ += size;
    most_ = std::max(most_, now_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  void reset() { most_ = now_ = 0; }
  std::int64_t most() const { return most_; }

 private:
  std::int64_t now_ = 0, most_ = 0;
};

#if RELMPI_CUDA
constexpr auto kAll = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
#endif

}  // namespace

struct PeakMemory::State {
  explicit State(at::Device where) : device(where) {}

  at::Device device;
  std::shared_ptr<HostCounter> counter;
  std::optional<c10::DebugInfoGuard> guard;
  int log_level = FLAGS_caffe2_log_level;
  std::int64_t held = 0;  // on a GPU, at the reset
};

PeakMemory::PeakMemory(at::Device device) : state_(std::make_unique<State>(device)) {
  if (!device.is_cuda()) {
    // libtorch warns of blocks that were allocated before it counted: expected here.
    FLAGS_caffe2_log_level = 2;  // errors
    state_->counter = std::make_shared<HostCounter>();
    state_->guard.emplace(c10::DebugInfoKind::PROFILER_STATE, state_->counter);
  }
  reset();
}

PeakMemory::~PeakMemory() { FLAGS_caffe2_log_level = state_->log_level; }

void PeakMemory::reset() {
  if (state_->counter) return state_->counter->reset();
#if RELMPI_CUDA
  const auto index = state_->device.index();
  c10::cuda::CUDACachingAllocator::resetPeakStats(index);
  state_->held = c10::cuda::CUDACachingAllocator::getDeviceStats(index).allocated_bytes[kAll].current;
#endif
}

std::optional<std::int64_t> PeakMemory::all_bytes() const {
  if (state_->counter) return std::nullopt;
  return state_->held + bytes();
}

std::int64_t PeakMemory::bytes() const {
  if (state_->counter) return state_->counter->most();
#if RELMPI_CUDA
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(state_->device.index());
  return stats.allocated_bytes[kAll].peak - state_->held;
#else
  return 0;
#endif
}

}  // namespace relmpi
