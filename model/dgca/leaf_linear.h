#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include "model/dgca/leaf_gradients.h"

namespace relmpi {

// Where the gradients of a layer's leaves go.
struct LeafSums : torch::CustomClassHolder {
  LeafSums(at::Tensor weight_, at::Tensor bias_, std::shared_ptr<LeafGradients> gradients_)
      : weight(std::move(weight_)), bias(std::move(bias_)), gradients(std::move(gradients_)) {}
  at::Tensor weight, bias;  // their own .grad, fp32
  std::shared_ptr<LeafGradients> gradients;
};

// x W^T + b for x (..., in), W (out, in), b (out) that come from use_leaf, by libtorch's products. The
// backward pass adds to `sums` and gives the graph no gradients of W and b: a product that adds in fp32, in
// place of a product, its rounding to 16 bits and a sum.
at::Tensor leaf_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       const c10::intrusive_ptr<LeafSums>& sums);

}  // namespace relmpi
