#include "train/deterministic.h"

#include <ATen/ATen.h>

#include <cstdlib>
#include <string_view>

#include "base/torch_headers.h"

namespace relmpi {

void compute_deterministically() {
  const char* name = "CUBLAS_WORKSPACE_CONFIG";
  ::setenv(name, ":4096:8", /*overwrite=*/0);
  const char* set = std::getenv(name);
  if (const std::string_view found = set ? set : ""; found != ":4096:8" && found != ":16:8")
    throw InputError(
        "{}={}: with --deterministic or --debug it must be :4096:8 (the default) or :16:8, with which cuBLAS "
        "repeats its results",
        name, found);
  at::Context& context = at::globalContext();
  // Not warn_only: the attention's memory-efficient backward pass adds in a fixed order only then.
  context.setDeterministicAlgorithms(true, /*warn_only=*/false);
  context.setDeterministicCuDNN(true);
  // Nothing here is read before it is written, so filling new tensors would only cost time.
  context.setDeterministicFillUninitializedMemory(false);
}

}  // namespace relmpi
