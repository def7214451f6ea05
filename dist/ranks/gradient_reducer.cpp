#include "dist/ranks/gradient_reducer.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "base/torch_headers.h"
#if RELMPI_CUDA
#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace relmpi {
namespace {

ReduceType reduce_type(at::ScalarType dtype) {
  if (dtype == at::kHalf) return ReduceType::kFloat16;
  if (dtype == at::kBFloat16) return ReduceType::kBFloat16;
  return ReduceType::kFloat32;
}

struct Bucket {
  std::int64_t begin = 0, end = 0;  // elements of the flat gradient
  int leaves = 0;
  int pending = 0;  // leaves whose gradient is not there yet
};

}  // namespace

struct GradientReducer::State {
  State(Communicator& c, at::Tensor grad, const ReducerOptions& o)
      : communicator(c), flat_grad(std::move(grad)), options(o) {}

  // Reduces one bucket, on the thread or stream that carries the communication.
  void reduce(const Bucket& bucket, void* stream) {
    at::Tensor part = flat_grad.narrow(0, bucket.begin, bucket.end - bucket.begin);
    bytes += part.numel() * static_cast<std::int64_t>(c10::elementSize(options.dtype));
    if (options.dtype == at::kFloat) {
      communicator.all_reduce(part.data_ptr(), part.numel(), ReduceType::kFloat32, stream);
      return;
    }
    at::Tensor low = part.to(options.dtype);
    communicator.all_reduce(low.data_ptr(), low.numel(), reduce_type(options.dtype), stream);
    part.copy_(low);
  }

  void leaf_ready(std::size_t bucket) {
    if (!armed) return;
    --buckets[bucket].pending;
    while (next < buckets.size() && buckets[next].pending == 0) launch(next++);
  }

  void launch(std::size_t bucket) {
    if (flat_grad.is_cuda()) {
      launch_cuda(bucket);
      return;
    }
    {
      const std::lock_guard lock(mutex);
      queued = bucket + 1;
    }
    changed.notify_all();
  }

  // Queues the bucket on the side stream, behind the gradients it needs.
  void launch_cuda(std::size_t bucket) {
#if RELMPI_CUDA
    if (!side_stream) side_stream = c10::cuda::getStreamFromPool(false, flat_grad.device().index());
    at::cuda::CUDAEvent ready;
    ready.record(c10::cuda::getCurrentCUDAStream(flat_grad.device().index()));
    ready.block(*side_stream);
    const c10::cuda::CUDAStreamGuard guard(*side_stream);
    reduce(buckets[bucket], side_stream->stream());
#else
    (void)bucket;
#endif
  }

  void wait_cuda() {
#if RELMPI_CUDA
    const auto stream = c10::cuda::getCurrentCUDAStream(flat_grad.device().index());
    at::cuda::CUDAEvent done, before(cudaEventDefault), after(cudaEventDefault);
    before.record(stream);
    done.record(*side_stream);
    done.block(stream);
    after.record(stream);
    waits.emplace_back(std::move(before), std::move(after));
#endif
  }

  // Adds the waits of the steps that the device has done; does not wait for it.
  void collect_waits() {
#if RELMPI_CUDA
    while (!waits.empty() && waits.front().second.query()) {
      waited += waits.front().first.elapsed_time(waits.front().second) / 1000;
      waits.pop_front();
    }
#endif
  }

  // Body of the communication thread (MPI).
  void work() {
    const at::NoGradGuard no_grad;
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return stopping || reduced < queued; });
      if (stopping) return;
      const std::size_t bucket = reduced;
      lock.unlock();
      std::exception_ptr error;
      try {
        reduce(buckets[bucket], nullptr);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error) failure = error;
      ++reduced;
      changed.notify_all();
    }
  }

  Communicator& communicator;
  at::Tensor flat_grad;
  ReducerOptions options;
  std::vector<Bucket> buckets;  // in the order they are sent
  bool armed = false;
  std::size_t next = 0;  // first bucket that was not launched in this step

  std::mutex mutex;
  std::condition_variable changed;
  std::size_t queued = 0, reduced = 0;  // buckets of this step
  bool stopping = false;
  std::exception_ptr failure;
  std::thread thread;
  double waited = 0;
  std::int64_t bytes = 0;
#if RELMPI_CUDA
  std::optional<c10::cuda::CUDAStream> side_stream;
  std::deque<std::pair<at::cuda::CUDAEvent, at::cuda::CUDAEvent>> waits;  // before and after, of recent steps
#endif
};

namespace {

// Tells the reducer that one leaf's gradient is complete. Holds the state weakly: leaves may outlive the
// reducer.
class LeafHook : public torch::autograd::PostAccumulateGradHook {
 public:
  explicit LeafHook(std::function<void()> ready) : ready_(std::move(ready)) {}
  void operator()(const at::Tensor&) override { ready_(); }

 private:
  std::function<void()> ready_;
};

}  // namespace

GradientReducer::GradientReducer(Communicator& communicator, const std::vector<at::Tensor>& leaves,
                                 const std::vector<std::int64_t>& offsets, at::Tensor flat_grad,
                                 std::int64_t end, const ReducerOptions& options)
    : state_(std::make_shared<State>(communicator, std::move(flat_grad), options)) {
  if (communicator.size() == 1) return;
  std::vector<Bucket>& buckets = state_->buckets;
  const std::int64_t bytes = options.bucket_bytes > 0 ? options.bucket_bytes : communicator.bucket_bytes();
  const std::int64_t most = options.overlap ? std::max<std::int64_t>(1, bytes / 4) : end;
  std::int64_t upper = end;
  for (std::size_t i = leaves.size(); i-- > 0;) {
    if (offsets[i] >= end) continue;
    if (buckets.empty() || upper - offsets[i] > most) {
      // A new bucket begins with this leaf; `upper` is where the one before it begins.
      buckets.push_back({.begin = offsets[i], .end = buckets.empty() ? end : buckets.back().begin});
      upper = buckets.back().end;
    }
    Bucket& bucket = buckets.back();
    bucket.begin = offsets[i];
    ++bucket.leaves;
    const std::size_t index = buckets.size() - 1;
    torch::autograd::impl::set_post_acc_grad_hooks(
        leaves[i], std::make_unique<LeafHook>([weak = std::weak_ptr<State>(state_), index] {
          if (const auto state = weak.lock()) state->leaf_ready(index);
        }));
  }
  if (!state_->flat_grad.is_cuda()) state_->thread = std::thread([state = state_.get()] { state->work(); });
}

GradientReducer::~GradientReducer() {
  if (!state_->thread.joinable()) return;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
}

void GradientReducer::arm() {
  for (Bucket& bucket : state_->buckets) bucket.pending = bucket.leaves;
  state_->armed = true;
  state_->communicator.hurry(false);
}

void GradientReducer::finish() {
  State& state = *state_;
  if (state.buckets.empty()) return;
  const auto begin = std::chrono::steady_clock::now();
  state.communicator.hurry(true);
  while (state.next < state.buckets.size()) state.launch(state.next++);
  state.armed = false;
  state.next = 0;
  if (state.flat_grad.is_cuda()) {
    state.wait_cuda();
    return;
  }
  std::unique_lock lock(state.mutex);
  state.changed.wait(lock, [&] { return state.failure || state.reduced == state.buckets.size(); });
  state.queued = state.reduced = 0;
  state.waited += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (state.failure) std::rethrow_exception(state.failure);
}

double GradientReducer::seconds_waited() const {
  state_->collect_waits();
  return state_->waited;
}
std::int64_t GradientReducer::bytes_reduced() const { return state_->bytes; }

}  // namespace relmpi
