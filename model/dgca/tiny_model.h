#pragma once

#include <string>
#include <vector>

#include "data/loader/loader.h"
#include "model/dgca/model_folder.h"

namespace relmpi {

// For tests and for relmpi-doctor selftest: a model of 40 tokens, H = 64, 4 heads, 3 candidates, without
// dropout; the same each time.
Model tiny_model(at::Device device, std::int64_t layers = 2);

// Six rows of 9, 8, .. 4 characters for it, with an error each, in host memory.
class TinyRows {
 public:
  static constexpr std::int64_t kRows = 6, kWidth = 9;

  TinyRows();
  // Rows [begin, begin + count).
  Batch rows(std::int64_t begin, std::int64_t count);

 private:
  std::vector<std::int32_t> source_, target_, lengths_;
  std::vector<std::int64_t> sentences_;
};

}  // namespace relmpi
