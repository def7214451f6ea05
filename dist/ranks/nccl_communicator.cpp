#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "dist/ranks/nccl.h"

namespace relmpi {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

class NcclCommunicator : public Communicator {
 public:
  NcclCommunicator(std::unique_ptr<Communicator> host, std::unique_ptr<Nccl> nccl,
                   const CommunicatorOptions& options)
      : host_(std::move(host)), nccl_(std::move(nccl)), timeout_(options.timeout_seconds) {
    try {
      const std::string id = host_->broadcast_bytes(host_->rank() == 0 ? nccl_->make_id() : std::string());
      settle(nccl_->init(host_->size(), id, host_->rank()), "ncclCommInitRank", timeout_);
    } catch (const std::exception& error) {
      // Thrown, it would be printed after MPI's own end, which waits for the ranks that wait here.
      fail("{}. NCCL did not start; relmpi-doctor environment looks at GPUs, /dev/shm and the network",
           error.what());
    }
    watchdog_ = std::thread([this] { watch(); });
  }

  ~NcclCommunicator() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    watchdog_.join();
    try {
      settle(nccl_->finalize(), "ncclCommFinalize", std::min(timeout_, kPartingSeconds));
      nccl_->destroy();
    } catch (const std::exception& error) {
      spdlog::debug("rank {}: NCCL is given up: {}", host_->rank(), error.what());
      nccl_->abort();
    }
  }

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }
  int node_rank() const override { return host_->node_rank(); }
  int node_size() const override { return host_->node_size(); }
  const char* backend() const override { return "nccl"; }
  // A call costs NCCL tens of microseconds of the host, and short ones leave the links idle.
  std::int64_t bucket_bytes() const override { return 25 << 20; }
  void at_step(std::int64_t step) override {
    step_ = step;
    host_->at_step(step);
  }

  void all_reduce(void* data, std::int64_t count, ReduceType type, void* stream) override {
    settle(nccl_->all_reduce(data, count, type, stream), "ncclAllReduce", timeout_);
    Queued queued{.elements = count, .step = step_, .begin = Clock::now(), .mark = nccl_->mark(stream)};
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
  struct Queued {
    std::int64_t elements = 0, step = 0;
    Clock::time_point begin;
    std::unique_ptr<Nccl::Mark> mark;
  };

  // Waits until a call has been taken up, which takes microseconds as a rule. Throws if it failed, however
  // late.
  void settle(Nccl::State state, const char* name, double seconds) const {
    constexpr double kSpin = 200e-6;  // seconds; a sleep takes 50 microseconds at least
    const Clock::time_point begin = Clock::now();
    for (; state == Nccl::State::kGoesOn; state = nccl_->state()) {
      const double waited = since(begin);
      if (waited > seconds)
        throw RuntimeError(
            "rank {}: {} did not finish in {} s: another rank has stopped or is doing something else",
            host_->rank(), name, seconds);
      if (waited > kSpin) std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    if (state == Nccl::State::kDone) state = nccl_->state();  // an error of an earlier call
    if (state == Nccl::State::kFailed)
      throw RuntimeError("rank {}: {}{} failed: {}", host_->rank(), name,
                         step_ > 0 ? fmt::format(" of step {}", step_.load()) : "", nccl_->reason());
  }

  // An all-reduce hangs or fails on the device, where no call of the host notices it: this thread does, and
  // ends the job.
  void watch() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, kWatchEvery, [&] { return ending_; })) {
      drop_done();
      if (nccl_->state() == Nccl::State::kFailed)
        end("NCCL failed in step {}: {}", step_.load(), nccl_->reason());
      if (queued_.empty()) continue;
      const Queued& oldest = queued_.front();
      if (since(oldest.begin) > timeout_)
        end("all_reduce of {} elements (ncclAllReduce) of step {} did not finish in {} s: another rank has "
            "stopped, hangs or computes on; look at the other ranks' last lines. --collective-timeout sets "
            "the "
            "limit",
            oldest.elements, oldest.step, timeout_);
    }
  }

  void drop_done() {
    try {
      while (!queued_.empty() && queued_.front().mark->passed()) queued_.pop_front();
    } catch (const std::exception& error) {
      const Queued& oldest = queued_.front();
      end("the GPU failed at or before the all_reduce of {} elements (ncclAllReduce) of step {}: {}",
          oldest.elements, oldest.step, error.what());
    }
  }

  // Says why and ends the job.
  template <typename... Args>
  void end(fmt::format_string<Args...> format, Args&&... args) const {
    fail("rank {}: {}", host_->rank(), fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void fail(fmt::format_string<Args...> format, Args&&... args) const {
    spdlog::error(format, std::forward<Args>(args)...);
    spdlog::default_logger()->flush();
    host_->abort(static_cast<int>(Exit::kFailed));
  }

  static constexpr auto kWatchEvery = std::chrono::milliseconds(500);
  static constexpr double kPartingSeconds = 10;

  std::atomic<std::int64_t> step_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Queued> queued_;  // all-reduces that the device may not have done
  bool ending_ = false;
  std::unique_ptr<Communicator> host_;
  std::unique_ptr<Nccl> nccl_;
  double timeout_;
  std::thread watchdog_;
};

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator(std::unique_ptr<Communicator> host,
                                                     std::unique_ptr<Nccl> nccl,
                                                     const CommunicatorOptions& options) {
  return std::make_unique<NcclCommunicator>(std::move(host), std::move(nccl), options);
}

}  // namespace relmpi
