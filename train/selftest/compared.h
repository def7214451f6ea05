#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "model/kernels/own_kernels.h"

namespace relmpi {

// The side of a comparison that is under test: on a CPU, the general path while this lives.
class UnderTest {
 public:
  explicit UnderTest(at::Device device) {
    if (device.is_cpu()) general_.emplace();
  }

 private:
  std::optional<GeneralKernels> general_;
};

// |a - b| / |b| of whole tensors, b the reference.
double relative_error(const at::Tensor& a, const at::Tensor& b);

}  // namespace relmpi
