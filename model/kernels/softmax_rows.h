#pragma once

#include <ATen/core/Tensor.h>

namespace relmpi {

// Softmax over the vocabulary on the CPU, row by row, without (rows, V) tensors in fp32: logits are read in
// the compute dtype, a row at a time is in the cache. fp32 and bf16.

// Whether the two functions below take these logits.
bool has_softmax_rows(const at::Tensor& logits);

// logits (rows, V), bias (V) fp32, labels (rows) int64. Writes log sum_v exp(z_v) to `normaliser` and
// log softmax(z)_y to `log_p`, both (rows) fp32, with z = logits + bias.
void log_softmax_rows(const at::Tensor& logits, const at::Tensor& bias, const at::Tensor& labels,
                      at::Tensor normaliser, at::Tensor log_p);

// Replaces `logits` by their gradient, grad[n] (onehot(y) - softmax(z)), in their own dtype, and adds its sum
// over rows to `grad_bias` (V) fp32. The sums have one order, whatever the number of threads.
void softmax_gradient_rows(at::Tensor logits, const at::Tensor& bias, const at::Tensor& labels,
                           const at::Tensor& normaliser, const at::Tensor& grad, at::Tensor grad_bias);

}  // namespace relmpi
