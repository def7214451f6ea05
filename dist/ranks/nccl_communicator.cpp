#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAGuard.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include "base/torch_headers.h"
#include "dist/devices/cuda_call.h"
#include "dist/ranks/backends.h"
#include "dist/ranks/communicator.h"

namespace relmpi {
namespace {

class NcclCommunicator : public Communicator {
 public:
  NcclCommunicator(std::unique_ptr<Communicator> host, int device_index, const CommunicatorOptions& options)
      : host_(std::move(host)),
        device_(static_cast<c10::DeviceIndex>(device_index)),
        timeout_(options.timeout_seconds) {
    const c10::cuda::CUDAGuard guard(device_);
    ncclUniqueId id;
    std::string bytes(sizeof(id), '\0');
    if (host_->rank() == 0) {
      demand_nccl(ncclGetUniqueId(&id), "ncclGetUniqueId");
      std::memcpy(bytes.data(), &id, sizeof(id));
    }
    bytes = host_->broadcast_bytes(std::move(bytes));
    std::memcpy(&id, bytes.data(), sizeof(id));
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;  // so that a peer that never comes is noticed
    settle(ncclCommInitRankConfig(&comm_, host_->size(), id, host_->rank(), &config),
           "ncclCommInitRankConfig");
    watchdog_ = std::thread([this] { watch(); });
  }

  ~NcclCommunicator() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    watchdog_.join();
    if (!comm_) return;
    if (const ncclResult_t result = ncclCommAbort(comm_); result != ncclSuccess)
      spdlog::error("rank {}: ncclCommAbort failed: {}", host_->rank(), ncclGetErrorString(result));
  }

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }
  int node_rank() const override { return host_->node_rank(); }
  int node_size() const override { return host_->node_size(); }
  const char* backend() const override { return "nccl"; }
  void at_step(std::int64_t step) override {
    step_ = step;
    host_->at_step(step);
  }

  void all_reduce(void* data, std::int64_t count, ReduceType type, void* stream) override {
    const c10::cuda::CUDAGuard guard(device_);
    settle(ncclAllReduce(data, data, static_cast<std::size_t>(count), nccl_type(type), ncclSum, comm_,
                         static_cast<cudaStream_t>(stream)),
           "ncclAllReduce");
    Queued queued{.elements = count, .step = step_, .since = Clock::now()};
    queued.done.record(c10::cuda::getStreamFromExternal(static_cast<cudaStream_t>(stream), device_));
    const std::lock_guard lock(mutex_);
    queued_.push_back(std::move(queued));
  }

  void all_reduce_host(void* data, std::int64_t count, ReduceType type) override {
    host_->all_reduce_host(data, count, type);
  }
  std::string broadcast_bytes(std::string bytes) override { return host_->broadcast_bytes(std::move(bytes)); }
  std::vector<std::string> gather_bytes(const std::string& bytes) override {
    return host_->gather_bytes(bytes);
  }
  void barrier() override { host_->barrier(); }
  void abort(int code) override { host_->abort(code); }

 private:
  static ncclDataType_t nccl_type(ReduceType type) {
    switch (type) {
      case ReduceType::kFloat32:
        return ncclFloat32;
      case ReduceType::kFloat64:
        return ncclFloat64;
      case ReduceType::kFloat16:
        return ncclFloat16;
      case ReduceType::kBFloat16:
        return ncclBfloat16;
      case ReduceType::kInt64:
        return ncclInt64;
    }
    RELMPI_CHECK(false, "unknown element type");
  }

  // Waits until a non-blocking call has been taken up.
  void settle(ncclResult_t result, const char* name) const {
    demand_nccl(result, name, comm_);
    const auto begin = std::chrono::steady_clock::now();
    for (ncclResult_t state = result; state == ncclInProgress;) {
      demand_nccl(ncclCommGetAsyncError(comm_, &state), "ncclCommGetAsyncError", comm_);
      demand_nccl(state, name, comm_);
      if (std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() > timeout_)
        throw RuntimeError(
            "rank {}: {} did not finish in {} s: another rank has stopped or is doing something else",
            host_->rank(), name, timeout_);
      if (state == ncclInProgress) std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }

  // An all-reduce hangs on the device, where no call of the host notices it: this thread does, and ends the
  // job.
  void watch() {
    const c10::cuda::CUDAGuard guard(device_);
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, kWatchEvery, [&] { return ending_; })) {
      while (!queued_.empty() && queued_.front().done.query()) queued_.pop_front();
      ncclResult_t state = ncclSuccess;
      if (const ncclResult_t result = ncclCommGetAsyncError(comm_, &state); result != ncclSuccess)
        state = result;
      if (state != ncclSuccess && state != ncclInProgress)
        end("NCCL failed: {} ({})", ncclGetErrorString(state), ncclGetLastError(comm_));
      if (queued_.empty()) continue;
      const Queued& oldest = queued_.front();
      if (std::chrono::duration<double>(Clock::now() - oldest.since).count() > timeout_)
        end("all_reduce of {} elements (ncclAllReduce) of step {} did not finish in {} s: another rank has "
            "stopped, "
            "hangs or computes on; look at the other ranks' last lines. --collective-timeout sets the limit",
            oldest.elements, oldest.step, timeout_);
    }
  }

  template <typename... Args>
  void end(fmt::format_string<Args...> format, Args&&... args) const {
    spdlog::error("rank {}: {}", host_->rank(), fmt::format(format, std::forward<Args>(args)...));
    host_->abort(static_cast<int>(Exit::kFailed));
  }

  using Clock = std::chrono::steady_clock;
  static constexpr auto kWatchEvery = std::chrono::milliseconds(500);
  struct Queued {
    std::int64_t elements = 0, step = 0;
    Clock::time_point since;
    at::cuda::CUDAEvent done;
  };

  std::atomic<std::int64_t> step_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Queued> queued_;  // all-reduces that the device may not have done
  bool ending_ = false;
  std::thread watchdog_;
  std::unique_ptr<Communicator> host_;
  c10::DeviceIndex device_;
  double timeout_;
  ncclComm_t comm_ = nullptr;
};

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator(std::unique_ptr<Communicator> host, int device_index,
                                                     const CommunicatorOptions& options) {
  return std::make_unique<NcclCommunicator>(std::move(host), device_index, options);
}

}  // namespace relmpi
