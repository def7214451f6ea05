#pragma once

#include <ATen/core/Tensor.h>

namespace relmpi {

// The word embeddings (V, H) are read three times in a step: looked up, as the vocabulary head and by the
// candidates. Each backward pass adds to the one gradient in place; dense (V, H) gradients that are then
// summed would cost more than the products that fill them.

// Where a backward pass adds the gradient of `table`, fp32: its own .grad if it is a leaf that has one,
// else zeros.
at::Tensor gradient_sink(const at::Tensor& table);
// What such a backward pass returns for `table`: nothing if `sink` is its own .grad.
at::Tensor unless_sunk(const at::Tensor& table, const at::Tensor& sink);

// table[ids], (N) int64 -> (N, H).
at::Tensor look_up(const at::Tensor& table, const at::Tensor& ids);

}  // namespace relmpi
