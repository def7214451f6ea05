#pragma once

#include <cstdint>

#include "dist/ranks/communicator.h"
#include "model/dgca/heads.h"
#include "model/dgca/parameters.h"

namespace relmpi {

// --debug: deterministic algorithms, anomaly detection, kernels that finish before the next line. Call it
// before the first tensor is made.
void start_debugging();

// Throw RuntimeError with the name of the first tensor that holds NaN or infinity.
void check_heads(const Heads& heads);
void check_gradients(const Parameters& parameters, std::int64_t step);

// Compares a hash of all parameters over ranks. Throws RuntimeError naming the ranks that differ from rank 0.
// Every rank must call it.
void check_replicas(const Parameters& parameters, Communicator& communicator, std::int64_t step);

}  // namespace relmpi
