#include "dist/ranks/environment.h"

#include <ATen/Parallel.h>
#include <unistd.h>

#include "base/torch_headers.h"
#include "dist/devices/host_checks.h"
#include "dist/ranks/launch.h"

namespace relmpi {
namespace {

// What each rank has, by rank, on rank 0; empty elsewhere.
template <typename T>
std::vector<T> gather(Communicator& communicator, const T& mine) {
  std::vector<T> all;
  for (const std::string& one : communicator.gather_bytes(nlohmann::json(mine).dump()))
    all.push_back(nlohmann::json::parse(one).get<T>());
  return all;
}

// findings() of all ranks on rank 0, each with the ranks and hosts that have it; empty elsewhere.
std::vector<std::string> gather_findings(Communicator& communicator, at::Device device, int threads) {
  const auto mine = findings(host_facts({.threads = threads,
                                         .ranks = communicator.size(),
                                         .node_ranks = communicator.node_size(),
                                         .on_gpu = device.is_cuda()}));
  const auto hosts = gather(communicator, host_name());
  const auto all = gather(communicator, mine);
  std::map<std::string, std::string> ranks;  // by finding
  for (std::size_t rank = 0; rank < all.size(); ++rank)
    for (const std::string& finding : all[rank]) {
      std::string& list = ranks[finding];
      list += fmt::format("{}{} ({})", list.empty() ? "" : ", ", rank, hosts[rank]);
    }
  std::vector<std::string> out;
  for (const auto& [finding, list] : ranks)
    out.push_back(communicator.size() > 1 ? fmt::format("rank {}: {}", list, finding) : finding);
  return out;
}

}  // namespace

std::optional<JobEnvironment> describe_environment(Communicator& communicator, at::Device device) {
  JobEnvironment out;
  out.findings = gather_findings(communicator, device, at::get_num_threads());
  out.ranks = gather(communicator, RankFacts{.rank = communicator.rank(),
                                             .node_rank = communicator.node_rank(),
                                             .host = host_name(),
                                             .device = device.str(),
                                             .threads = at::get_num_threads(),
                                             .pid = ::getpid(),
                                             .cores = allowed_cores()});
  for (const auto& of_rank :
       gather(communicator, device.is_cuda() ? gpus(device.index()) : std::vector<Gpu>()))
    out.gpus.insert(out.gpus.end(), of_rank.begin(), of_rank.end());
  if (communicator.rank() != 0) return std::nullopt;
  out.versions = versions();
  const Launch launch = detect_launch();
  out.launcher = launch.launched ? launch.launcher : "none";
  out.backend = device.is_cuda() && communicator.size() > 1 ? "nccl" : communicator.backend();
  return out;
}

nlohmann::json to_json(const JobEnvironment& e) {
  return {{"versions", to_json(e.versions)}, {"launcher", e.launcher}, {"backend", e.backend},
          {"size", e.ranks.size()},          {"ranks", e.ranks},       {"devices", e.gpus},
          {"findings", e.findings}};
}

}  // namespace relmpi
