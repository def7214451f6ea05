#include "dist/ranks/nccl.h"

#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAGuard.h>

#include <cstring>

#include "base/torch_headers.h"
#include "dist/devices/cuda_call.h"

namespace relmpi {
namespace {

ncclDataType_t nccl_type(ReduceType type) {
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

class EventMark : public Nccl::Mark {
 public:
  EventMark(void* stream, c10::DeviceIndex device) {
    event_.record(c10::cuda::getStreamFromExternal(static_cast<cudaStream_t>(stream), device));
  }
  bool passed() override { return event_.query(); }

 private:
  at::cuda::CUDAEvent event_;
};

class RealNccl : public Nccl {
 public:
  explicit RealNccl(int device_index) : device_(static_cast<c10::DeviceIndex>(device_index)) {}

  std::string make_id() override {
    ncclUniqueId id;
    demand_nccl(ncclGetUniqueId(&id), "ncclGetUniqueId");
    return {id.internal, sizeof(id.internal)};
  }

  State init(int size, const std::string& bytes, int rank) override {
    const c10::cuda::CUDAGuard guard(device_);
    ncclUniqueId id;
    RELMPI_CHECK(bytes.size() == sizeof(id.internal));
    std::memcpy(id.internal, bytes.data(), sizeof(id.internal));
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;  // so that a peer that never comes is noticed
    return after(ncclCommInitRankConfig(&comm_, size, id, rank, &config));
  }

  State all_reduce(void* data, std::int64_t count, ReduceType type, void* stream) override {
    const c10::cuda::CUDAGuard guard(device_);
    return after(ncclAllReduce(data, data, static_cast<std::size_t>(count), nccl_type(type), ncclSum, comm_,
                               static_cast<cudaStream_t>(stream)));
  }

  std::unique_ptr<Mark> mark(void* stream) override {
    const c10::cuda::CUDAGuard guard(device_);
    return std::make_unique<EventMark>(stream, device_);
  }

  State state() override {
    ncclResult_t state = ncclSuccess;
    const ncclResult_t asked = ncclCommGetAsyncError(comm_, &state);
    return after(asked == ncclSuccess ? state : asked);
  }

  std::string reason() override {
    return fmt::format("{} ({}). NCCL_DEBUG=INFO shows more", ncclGetErrorString(failure_),
                       ncclGetLastError(comm_));
  }

  State finalize() override { return after(ncclCommFinalize(comm_)); }

  void destroy() override {
    after(ncclCommDestroy(comm_));
    comm_ = nullptr;
  }

  void abort() override {
    if (comm_) after(ncclCommAbort(comm_));
    comm_ = nullptr;
  }

 private:
  State after(ncclResult_t result) {
    if (result == ncclSuccess) return State::kDone;
    if (result == ncclInProgress) return State::kGoesOn;
    failure_ = result;
    return State::kFailed;
  }

  c10::DeviceIndex device_;
  ncclComm_t comm_ = nullptr;
  std::atomic<ncclResult_t> failure_ = ncclSuccess;
};

}  // namespace

std::unique_ptr<Nccl> make_nccl(int device_index) { return std::make_unique<RealNccl>(device_index); }

}  // namespace relmpi
