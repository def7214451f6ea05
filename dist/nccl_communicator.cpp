#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <nccl.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "base/error.h"
#include "dist/communicator.h"

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
      call(ncclGetUniqueId(&id), "ncclGetUniqueId");
      std::memcpy(bytes.data(), &id, sizeof(id));
    }
    bytes = host_->broadcast_bytes(std::move(bytes));
    std::memcpy(&id, bytes.data(), sizeof(id));
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;  // so that a peer that never comes is noticed
    settle(ncclCommInitRankConfig(&comm_, host_->size(), id, host_->rank(), &config),
           "ncclCommInitRankConfig");
  }

  ~NcclCommunicator() override {
    if (comm_) ncclCommAbort(comm_);
  }

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }
  int node_rank() const override { return host_->node_rank(); }
  int node_size() const override { return host_->node_size(); }
  const char* backend() const override { return "nccl"; }

  void all_reduce(void* data, std::int64_t count, ReduceType type, void* stream) override {
    const c10::cuda::CUDAGuard guard(device_);
    settle(ncclAllReduce(data, data, static_cast<std::size_t>(count), nccl_type(type), ncclSum, comm_,
                         static_cast<cudaStream_t>(stream)),
           "ncclAllReduce");
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

  void call(ncclResult_t result, const char* name) const {
    if (result == ncclSuccess || result == ncclInProgress) return;
    throw RuntimeError("rank {}: {} failed: {} ({}). NCCL_DEBUG=INFO shows more", host_->rank(), name,
                       ncclGetErrorString(result), ncclGetLastError(comm_));
  }

  // Waits until a non-blocking call has been taken up.
  void settle(ncclResult_t result, const char* name) const {
    call(result, name);
    const auto begin = std::chrono::steady_clock::now();
    for (ncclResult_t state = result; state == ncclInProgress;) {
      call(ncclCommGetAsyncError(comm_, &state), name);
      if (std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() > timeout_)
        throw RuntimeError(
            "rank {}: {} did not finish in {} s: another rank has stopped or does something else",
            host_->rank(), name, timeout_);
      if (state == ncclInProgress) std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }

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
