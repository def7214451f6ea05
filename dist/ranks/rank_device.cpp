#include "dist/ranks/rank_device.h"

#include <ATen/Parallel.h>
#include <sched.h>

#include <algorithm>
#include <map>

#include "base/torch_headers.h"
#include "base/units.h"
#include "dist/devices/gpus.h"
#include "dist/ranks/nccl.h"
#if RELMPI_CUDA
#include <c10/cuda/CUDAFunctions.h>
#endif

namespace relmpi {
namespace {

constexpr std::string_view kNumbered = "cuda:";

// Ends every rank with the same message when two of them sit on one GPU.
void demand_distinct(Communicator& communicator, const std::string& mine) {
  const auto all = communicator.gather_bytes(mine);
  std::string problem;
  std::map<std::string, std::size_t> owners;
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank].empty()) continue;
    const auto [owner, fresh] = owners.emplace(all[rank], rank);
    if (!fresh)
      problem = fmt::format(
          "ranks {} and {} are on the same GPU ({}). Start at most as many ranks as there are GPUs "
          "(mpirun -np N), and give each rank its own in CUDA_VISIBLE_DEVICES or leave all visible",
          owner->second, rank, all[rank]);
  }
  problem = communicator.broadcast_bytes(problem);
  if (!problem.empty()) throw InputError(problem);
}

}  // namespace

at::Device choose_device(Communicator& communicator, const std::string& wanted, const GpuProbe& found) {
  const int visible = found.visible;
  at::Device device(at::kCPU);
  std::string problem;  // not thrown at once: every rank has to know of it
  if (!found.cuda_error.empty() && found.device_files && wanted != "cpu") {
    problem = fmt::format(
        "--device {}: there is a GPU, but CUDA does not start: {}\nInstall a newer driver, or give --device "
        "cpu to compute on the CPU",
        wanted, found.cuda_error);
  } else if (visible == 0 && (wanted == "cuda" || wanted.starts_with(kNumbered))) {
    problem =
        fmt::format("--device {}: no GPU is visible; check nvidia-smi and CUDA_VISIBLE_DEVICES", wanted);
  } else if (wanted == "auto" || wanted == "cuda") {
    if (visible > 0)
      device = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(communicator.node_rank() % visible));
    if (visible > 1 && communicator.node_size() > visible)
      problem =
          fmt::format("{} ranks on {}, but {} GPUs: start at most {} ranks there, or run with --device cpu",
                      communicator.node_size(), host_name(), visible, visible);
  } else if (wanted.starts_with(kNumbered)) {
    const auto index = parse_number<int>(std::string_view(wanted).substr(kNumbered.size()));
    if (index && *index >= 0 && *index < visible)
      device = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(*index));
    else
      problem = fmt::format("--device {}: after cuda: comes the number of a visible GPU, 0 to {}", wanted,
                            visible - 1);
  } else if (wanted != "cpu") {
    problem = fmt::format("--device {} is unknown; choose auto, cpu, cuda or cuda:N", wanted);
  }
  for (const std::string& other : communicator.gather_bytes(problem))
    if (problem.empty()) problem = other;
  problem = communicator.broadcast_bytes(problem);
  if (!problem.empty()) throw InputError(problem);
  demand_distinct(communicator,
                  device.is_cuda() ? host_name() + " " + gpu_uuid(device.index()) : std::string());
#if RELMPI_CUDA
  if (device.is_cuda()) c10::cuda::set_device(device.index());
#endif
  return device;
}

int fair_threads(std::size_t rank, const std::vector<CoresOfRank>& all) {
  double share = 0;
  for (const int core : all[rank].cores) {
    const auto users = std::ranges::count_if(all, [&](const CoresOfRank& other) {
      return other.host == all[rank].host && std::ranges::find(other.cores, core) != other.cores.end();
    });
    share += 1.0 / static_cast<double>(users);
  }
  return std::max(1, static_cast<int>(share + 1e-9));
}

int set_threads(Communicator& communicator, int wanted) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::vector<int> mine;
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
    for (int core = 0; core < CPU_SETSIZE; ++core)
      if (CPU_ISSET(core, &allowed)) mine.push_back(core);
  const std::string bytes = nlohmann::json{{"host", host_name()}, {"cores", mine}}.dump();
  const auto gathered = communicator.broadcast_bytes(nlohmann::json(communicator.gather_bytes(bytes)).dump());
  std::vector<CoresOfRank> all;
  for (const std::string& text : nlohmann::json::parse(gathered).get<std::vector<std::string>>()) {
    const auto one = nlohmann::json::parse(text);
    all.push_back({.host = one["host"], .cores = one["cores"]});
  }
  const auto most = std::max(64, 4 * static_cast<int>(mine.size()));  // more would only wait for one another
  demand(wanted >= 0 && wanted <= most, "--threads", wanted,
         fmt::format("0 (a fair share of the cores) to {}", most));
  const int threads = wanted > 0 ? wanted : fair_threads(static_cast<std::size_t>(communicator.rank()), all);
  at::set_num_threads(threads);
  return threads;
}

std::unique_ptr<Communicator> communicator_for(std::unique_ptr<Communicator> host, at::Device device,
                                               const CommunicatorOptions& options) {
  if (!device.is_cuda() || host->size() == 1) return host;
  return make_nccl_communicator(std::move(host), make_nccl(device.index()), options);
}

}  // namespace relmpi
