#pragma once

#include <c10/core/Device.h>

namespace relmpi {

// Whether tensors on `device` go through the operators of our own: on a CPU, unless the environment variable
// RELMPI_KERNELS is `general`. Then a CPU takes the operators of libtorch that a GPU takes (the general
// path), so that they can be tested where no GPU is. Throws InputError if RELMPI_KERNELS is another word.
bool own_kernels(at::Device device);

// The general path on all devices while it lives, for tests that compare the two. One at a time.
class GeneralKernels {
 public:
  GeneralKernels();
  ~GeneralKernels();
  GeneralKernels(const GeneralKernels&) = delete;
  GeneralKernels& operator=(const GeneralKernels&) = delete;

 private:
  bool before_;
};

}  // namespace relmpi
