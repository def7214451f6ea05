#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "dist/ranks/communicator.h"

namespace relmpi {

// Median seconds of one all-reduce of `bytes` of fp32, nothing else going on. Throws RuntimeError if a sum is
// wrong. Every rank must call it.
double time_all_reduce(Communicator& communicator, at::Device device, std::int64_t bytes);

struct AllreduceSpeed {
  struct Size {
    std::int64_t bytes = 0;
    double seconds = 0;
    double bus_bandwidth =
        0;  // bytes/s: 2 (R-1)/R * bytes / seconds, as NCCL's own tests count; 0 for one rank
  };
  std::string backend, device;
  int ranks = 1;
  std::vector<Size> sizes;  // every sum was right
};

// All-reduce of 1 KiB up to `bytes`, each size checked against the known sum, with the times of this rank.
// Every rank must call it.
AllreduceSpeed measure_allreduce(Communicator& communicator, at::Device device, std::int64_t bytes);

nlohmann::json to_json(const AllreduceSpeed& speed);

}  // namespace relmpi
