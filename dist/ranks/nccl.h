#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "dist/ranks/communicator.h"

namespace relmpi {

// What NcclCommunicator asks of NCCL and of CUDA, for one communicator on one device, so that a test can play
// both. Calls don't wait: what they began may go on, or fail later, and state() tells. No call throws but
// make_id().
class Nccl {
 public:
  enum class State { kDone, kGoesOn, kFailed };
  // What a stream was given until a mark was set.
  class Mark {
   public:
    virtual ~Mark() = default;
    virtual bool passed() = 0;  // throws if the device failed
  };

  virtual ~Nccl() = default;
  virtual std::string make_id() = 0;  // by rank 0, for all; throws RuntimeError
  virtual State init(int size, const std::string& id, int rank) = 0;
  // In place, queued on `stream` (a cudaStream_t).
  virtual State all_reduce(void* data, std::int64_t count, ReduceType type, void* stream) = 0;
  virtual std::unique_ptr<Mark> mark(void* stream) = 0;
  virtual State state() = 0;         // of the communicator; may be asked from another thread
  virtual std::string reason() = 0;  // why it failed, in NCCL's words

  virtual State finalize() = 0;  // when no more calls come and those before are done
  virtual void destroy() = 0;    // after finalize has ended
  virtual void abort() = 0;      // instead of both, after a failure: gives up what is on its way
};

// The real one, on the CUDA device with this index. Throws InputError if this build has no NCCL.
std::unique_ptr<Nccl> make_nccl(int device_index);

// NCCL among the ranks of `host`, which is kept for everything that is no tensor. If NCCL cannot start on one
// rank, that rank says why and the whole job ends.
std::unique_ptr<Communicator> make_nccl_communicator(std::unique_ptr<Communicator> host,
                                                     std::unique_ptr<Nccl> nccl,
                                                     const CommunicatorOptions& options);

}  // namespace relmpi
