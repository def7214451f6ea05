#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace relmpi {

// The arrays as int64 tensors on the device. They travel as one copy from pinned memory on a stream of its
// own, beside the device's work on earlier batches; the current stream waits for it.
std::vector<at::Tensor> upload(
    const std::vector<std::reference_wrapper<const std::vector<std::int64_t>>>& arrays, at::Device device);

}  // namespace relmpi
