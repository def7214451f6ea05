#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace relmpi {

// One direction of an LSTM layer in PyTorch's layout: gates i, f, g, o below each other.
struct LstmWeights {
  at::Tensor weight_ih;         // (4H, in)
  at::Tensor weight_hh;         // (4H, H)
  at::Tensor bias_ih, bias_hh;  // (4H)
};

struct LstmLayer {
  LstmWeights forward, backward;
};

// An LSTM (Hochreiter and Schmidhuber 1997) over one sequence in both directions, from zeros, with gradients.
// x (T, in) fp32 -> (T, 2H), forward states beside backward ones, which are the next layer's input. Both
// directions advance in the same kernels, and on a GPU the sums have one order: cuDNN's need not, and ranks
// that each run this on the same values would drift apart.
at::Tensor bidirectional_lstm(const at::Tensor& x, const std::vector<LstmLayer>& layers);

}  // namespace relmpi
