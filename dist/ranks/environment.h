#pragma once

#include <c10/core/Device.h>

#include <optional>
#include <string>
#include <vector>

#include "dist/devices/gpus.h"
#include "dist/devices/versions.h"
#include "dist/ranks/communicator.h"

namespace relmpi {

// One rank of a job: if it runs, and with what.
struct RankFacts {
  int rank = 0, node_rank = 0;
  std::string host, device;
  int threads = 1, pid = 0;
  int cores = 1;  // that it may use
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RankFacts, rank, node_rank, host, device, threads, pid, cores)

struct JobEnvironment {
  Versions versions;
  std::string launcher, backend;
  std::vector<RankFacts> ranks;
  std::vector<Gpu> gpus;              // that the ranks compute on
  std::vector<std::string> findings;  // what will hurt
};

// On rank 0; nothing elsewhere. Each rank asks its own GPU alone. Every rank must call it.
std::optional<JobEnvironment> describe_environment(Communicator& communicator, at::Device device);

nlohmann::json to_json(const JobEnvironment& environment);

}  // namespace relmpi
