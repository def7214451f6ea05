#pragma once

#include <cstdint>
#include <vector>

#include "base/torch_headers.h"

namespace relmpi {

// Leaves of different sizes in one flat gradient, as model/dgca/parameters.h lays them out.
struct Leaves {
  explicit Leaves(const std::vector<std::int64_t>& sizes) {
    std::int64_t total = 0;
    for (const std::int64_t size : sizes) {
      offsets.push_back(total);
      total += size;
    }
    offsets.push_back(total);
    flat = at::zeros({total});
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      at::Tensor leaf = at::ones({sizes[i]}).requires_grad_(true);
      leaf.mutable_grad() = flat.narrow(0, offsets[i], sizes[i]);
      leaves.push_back(leaf);
    }
  }
  std::vector<at::Tensor> leaves;
  std::vector<std::int64_t> offsets;  // and where the last one ends
  at::Tensor flat;
};

}  // namespace relmpi
