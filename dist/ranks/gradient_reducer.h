#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "dist/ranks/communicator.h"

namespace relmpi {

struct ReducerOptions {
  std::int64_t bucket_bytes = 0;      // of fp32 gradients; 0 = the communicator's
  bool overlap = true;                // with the backward pass; if not, all travel in one all-reduce after it
  at::ScalarType dtype = at::kFloat;  // what travels: fp32, bf16 or fp16
};

// Sums gradients over ranks while the backward pass goes on. The flat gradient is cut into buckets at leaf
// borders, in reverse order of use; a bucket leaves as soon as the last of its leaves has its gradient, on a
// thread of its own (MPI) or a side stream (NCCL). Every rank sends the buckets in the same order.
class GradientReducer {
 public:
  // `leaves` lie in `flat_grad` (fp32) at `offsets`, in order of first use; only [0, end) is reduced.
  GradientReducer(Communicator& communicator, const std::vector<at::Tensor>& leaves,
                  const std::vector<std::int64_t>& offsets, at::Tensor flat_grad, std::int64_t end,
                  const ReducerOptions& options);
  ~GradientReducer();

  // Before the last backward pass of a step: from here on a finished bucket leaves.
  void arm();
  // After it: sends what is left (leaves that this rank's rows did not use), waits until all sums are there.
  // Also right if nothing was armed: then everything is sent here.
  void finish();

  double seconds_waited() const;       // for the sums of other ranks, in all steps (GPU: those it has done)
  std::int64_t bytes_reduced() const;  // sent by this rank, all steps

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace relmpi
