#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace relmpi {

// Element types that sums run over.
enum class ReduceType { kFloat32, kFloat64, kFloat16, kBFloat16, kInt64 };

std::int64_t size_of(ReduceType type);

struct CommunicatorOptions {
  double timeout_seconds = 600;  // a collective that takes longer ends the job
};

// The only door to collectives. Every rank makes the same calls in the same order. A call that fails or does
// not end in time throws RuntimeError naming rank, collective and cause. Three kinds: one process; MPI over
// host memory; NCCL over device memory, which uses MPI for everything that is not a tensor.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const { return 0; }
  virtual int size() const { return 1; }
  virtual int node_rank() const { return 0; }  // among the ranks of this host
  virtual int node_size() const { return 1; }
  virtual const char* backend() const { return "single"; }

  // Sums `count` elements over all ranks, in place. Host memory for one process and MPI; for NCCL device
  // memory, queued on `stream` (a cudaStream_t) without waiting for it. The sum has the same bits on every
  // rank.
  virtual void all_reduce(void* data, std::int64_t count, ReduceType type, void* stream = nullptr);

  // Gradients (of 4 bytes each) that best travel in one all_reduce: large enough for the links, small enough
  // to leave early.
  virtual std::int64_t bucket_bytes() const { return 4 << 20; }

  // Whether this rank waits for its all_reduce and has nothing else to do (the default). If it computes
  // meanwhile, a thread that polls for messages must leave it the core.
  virtual void hurry(bool) {}

  // The step that is about to begin (from 1), for messages about collectives that do not end.
  virtual void at_step(std::int64_t) {}

  // Host memory, whatever the backend.
  virtual void all_reduce_host(void* data, std::int64_t count, ReduceType type);
  virtual std::string broadcast_bytes(std::string bytes);  // rank 0's, on every rank
  virtual std::vector<std::string> gather_bytes(
      const std::string& bytes);  // by rank, on rank 0; empty elsewhere
  virtual void barrier();
  // Ends every rank of the job with `code`; does not return.
  [[noreturn]] virtual void abort(int code);
};

}  // namespace relmpi
