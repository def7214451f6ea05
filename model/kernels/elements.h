#pragma once

#include <ATen/core/Tensor.h>

namespace relmpi {

// A tensor's memory as the kernels see it, bf16 as bits in a std::uint16_t; null for an undefined tensor.
template <typename Element>
const Element* elements_of(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<const Element*>(tensor.const_data_ptr()) : nullptr;
}

}  // namespace relmpi
