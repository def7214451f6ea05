#include "train/selftest/compared.h"

#include "base/torch_headers.h"

namespace relmpi {

double relative_error(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor wide = b.to(at::kDouble);
  return ((a.to(at::kDouble) - wide).norm() / wide.norm()).item<double>();
}

}  // namespace relmpi
