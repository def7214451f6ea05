#pragma once

namespace relmpi {

// --deterministic: on a GPU the same bits for the same training, again and again on the same card with the
// same versions. Operators that add in any order are replaced, and one that cannot be throws. Call it before
// the first tensor is made: cuBLAS reads its setting once. Throws InputError if CUBLAS_WORKSPACE_CONFIG has
// another value than those with which cuBLAS repeats its results.
void compute_deterministically();

}  // namespace relmpi
