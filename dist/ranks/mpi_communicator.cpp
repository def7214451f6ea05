#include "dist/ranks/mpi_communicator.h"

#include <mpi.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <limits>
#include <numeric>
#include <thread>

#include "base/error.h"
#include "base/torch_headers.h"
#include "dist/devices/mpi_call.h"
#include "dist/ranks/roll_call.h"

namespace relmpi {
namespace {

// Open MPI counts in int: longer buffers go in pieces.
constexpr std::int64_t kMaxElements = std::int64_t{1} << 30;

constexpr double kImpatience = 0.05;  // seconds

// Sums of 16-bit floating point numbers, which MPI 3 does not know: fp32 sum, rounded once.
template <typename T>
void sum_low_precision(void* in, void* in_out, int* count, MPI_Datatype*) {
  const T* a = static_cast<const T*>(in);
  T* b = static_cast<T*>(in_out);
  for (int i = 0; i < *count; ++i) b[i] = static_cast<T>(static_cast<float>(a[i]) + static_cast<float>(b[i]));
}

class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator(const CommunicatorOptions& options, const Launch& launch)
      : timeout_(options.timeout_seconds) {
    int provided = 0;
    demand_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread");
    demand_mpi(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    demand_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank");
    demand_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size_), "MPI_Comm_size");
    if (provided < MPI_THREAD_MULTIPLE)
      throw RuntimeError("this MPI gives thread level {}, but MPI_THREAD_MULTIPLE is needed", provided);
    demand_connection(launch, size_);
    MPI_Comm node = MPI_COMM_NULL;
    demand_mpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &node),
               "MPI_Comm_split_type");
    demand_mpi(MPI_Comm_rank(node, &node_rank_), "MPI_Comm_rank");
    demand_mpi(MPI_Comm_size(node, &node_size_), "MPI_Comm_size");
    demand_mpi(MPI_Comm_free(&node), "MPI_Comm_free");
    demand_mpi(MPI_Op_create(&sum_low_precision<at::Half>, 1, &sum_half_), "MPI_Op_create");
    demand_mpi(MPI_Op_create(&sum_low_precision<at::BFloat16>, 1, &sum_bfloat16_), "MPI_Op_create");
    // Gradients and everything else never share a communicator: their calls come from different threads.
    demand_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &tensors_), "MPI_Comm_dup");
    demand_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &host_), "MPI_Comm_dup");
    roll_call_ = std::make_unique<RollCall>(rank_, size_);
  }

  ~MpiCommunicator() override {
    report_mpi(MPI_Op_free(&sum_half_), "MPI_Op_free");
    report_mpi(MPI_Op_free(&sum_bfloat16_), "MPI_Op_free");
    report_mpi(MPI_Comm_free(&tensors_), "MPI_Comm_free");
    report_mpi(MPI_Comm_free(&host_), "MPI_Comm_free");
    roll_call_.reset();
    report_mpi(MPI_Finalize(), "MPI_Finalize");
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int node_rank() const override { return node_rank_; }
  int node_size() const override { return node_size_; }
  const char* backend() const override { return "mpi"; }
  void hurry(bool now) override { hurry_ = now; }
  void at_step(std::int64_t step) override { roll_call_->at_step(step); }

  void all_reduce(void* data, std::int64_t count, ReduceType type, void*) override {
    reduce("all_reduce", data, count, type, tensors_);
  }

  void all_reduce_host(void* data, std::int64_t count, ReduceType type) override {
    reduce("all_reduce_host", data, count, type, host_);
  }

  std::string broadcast_bytes(std::string bytes) override {
    std::int64_t size = static_cast<std::int64_t>(bytes.size());
    wait("broadcast (MPI_Ibcast)", host_,
         [&](MPI_Request* r) { return MPI_Ibcast(&size, 1, MPI_INT64_T, 0, host_, r); });
    bytes.resize(static_cast<std::size_t>(size));
    for (std::int64_t at = 0; at < size; at += kMaxElements) {
      const int part = static_cast<int>(std::min(kMaxElements, size - at));
      wait("broadcast (MPI_Ibcast)", host_,
           [&](MPI_Request* r) { return MPI_Ibcast(bytes.data() + at, part, MPI_BYTE, 0, host_, r); });
    }
    return bytes;
  }

  std::vector<std::string> gather_bytes(const std::string& bytes) override {
    if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
      throw RuntimeError("rank {} cannot send {} bytes in one gather", rank_, bytes.size());
    int size = static_cast<int>(bytes.size());
    std::vector<int> sizes(static_cast<std::size_t>(size_));
    wait("gather (MPI_Igather)", host_, [&](MPI_Request* r) {
      return MPI_Igather(&size, 1, MPI_INT, sizes.data(), 1, MPI_INT, 0, host_, r);
    });
    std::vector<std::string> all;
    if (rank_ == 0) {
      all.resize(static_cast<std::size_t>(size_));
      all[0] = bytes;
    }
    // Point to point: MPI_Gatherv counts the total in int.
    for (int from = 1; from < size_; ++from) {
      if (rank_ == 0) {
        std::string& part = all[static_cast<std::size_t>(from)];
        part.resize(static_cast<std::size_t>(sizes[static_cast<std::size_t>(from)]));
        wait("gather (MPI_Irecv)", host_, [&](MPI_Request* r) {
          return MPI_Irecv(part.data(), static_cast<int>(part.size()), MPI_BYTE, from, 0, host_, r);
        });
      } else if (rank_ == from) {
        wait("gather (MPI_Isend)", host_,
             [&](MPI_Request* r) { return MPI_Isend(bytes.data(), size, MPI_BYTE, 0, 0, host_, r); });
      }
    }
    return all;
  }

  void barrier() override {
    wait("barrier (MPI_Ibarrier)", host_, [&](MPI_Request* r) { return MPI_Ibarrier(host_, r); });
  }

  void abort(int code) override {
    report_mpi(MPI_Abort(MPI_COMM_WORLD, code), "MPI_Abort");
    std::_Exit(code);
  }

 private:
  // Starts a non-blocking operation and polls it, so that a peer that never comes is noticed.
  template <typename Start>
  void wait(const char* name, MPI_Comm comm, const Start& start) const {
    MPI_Request request = MPI_REQUEST_NULL;
    demand_mpi(start(&request), name);
    bool told = false;  // the roll call where this thread waits
    const auto begin = std::chrono::steady_clock::now();
    for (int polls = 1;; ++polls) {
      int done = 0;
      demand_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), name);
      if (done) {
        if (told) roll_call_->wait_in("");
        return;
      }
      // Every poll moves a few pieces of a message along, so polling must go on; yet this rank's own
      // arithmetic and, with more ranks than cores, its peers need the core. A peer that is long in coming is
      // waited for asleep.
      if (comm == tensors_ && !hurry_)
        std::this_thread::sleep_for(std::chrono::microseconds(500));
      else
        std::this_thread::yield();
      if (polls % 256 != 0) continue;
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      if (seconds < kImpatience) continue;
      if (!told) roll_call_->wait_in(name);
      told = true;
      roll_call_->answer();
      if (seconds > timeout_)
        throw RuntimeError("rank {}{}: {} did not finish in {} s. {}. --collective-timeout sets the limit",
                           rank_, roll_call_->at(), name, timeout_, roll_call_->call());
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }

  void reduce(const char* what, void* data, std::int64_t count, ReduceType type, MPI_Comm comm) const {
    const auto [mpi_type, op] = operation(type);
    for (std::int64_t at = 0; at < count; at += kMaxElements) {
      const int part = static_cast<int>(std::min(kMaxElements, count - at));
      char* begin = static_cast<char*>(data) + at * size_of(type);
      wait(fmt::format("{} of {} elements (MPI_Iallreduce)", what, part).c_str(), comm,
           [&, t = mpi_type, o = op](MPI_Request* r) {
             return MPI_Iallreduce(MPI_IN_PLACE, begin, part, t, o, comm, r);
           });
    }
  }

  std::pair<MPI_Datatype, MPI_Op> operation(ReduceType type) const {
    switch (type) {
      case ReduceType::kFloat32:
        return {MPI_FLOAT, MPI_SUM};
      case ReduceType::kFloat64:
        return {MPI_DOUBLE, MPI_SUM};
      case ReduceType::kInt64:
        return {MPI_INT64_T, MPI_SUM};
      case ReduceType::kFloat16:
        return {MPI_UINT16_T, sum_half_};
      case ReduceType::kBFloat16:
        return {MPI_UINT16_T, sum_bfloat16_};
    }
    RELMPI_CHECK(false, "unknown element type");
  }

  double timeout_;
  std::atomic<bool> hurry_ = true;
  int rank_ = 0, size_ = 1, node_rank_ = 0, node_size_ = 1;
  MPI_Comm tensors_ = MPI_COMM_NULL, host_ = MPI_COMM_NULL;
  std::unique_ptr<RollCall> roll_call_;
  MPI_Op sum_half_ = MPI_OP_NULL, sum_bfloat16_ = MPI_OP_NULL;
};

}  // namespace

std::unique_ptr<Communicator> make_mpi_communicator(const CommunicatorOptions& options,
                                                    const Launch& launch) {
  return std::make_unique<MpiCommunicator>(options, launch);
}

}  // namespace relmpi
