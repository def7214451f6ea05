// Steps of a job whose NCCL is played (tests/mpi/nccl_test.py): fake_nccl_job SCENARIO. Each rank prints what
// it did; the last rank has the fault.

#include <ATen/Parallel.h>

#include <thread>

#include "base/log.h"
#include "base/torch_headers.h"
#include "dist/ranks/backends.h"
#include "dist/ranks/gradient_reducer.h"
#include "tests/dist/fake_nccl.h"

namespace relmpi {
namespace {

constexpr std::int64_t kSteps = 4, kLeaves = 3, kSize = 64;

NcclFault fault_of(const std::string& scenario, bool last) {
  if (scenario == "init") return {.init = last, .init_waits = !last};
  if (!last) return {};
  if (scenario == "late") return {.late_call = 3};
  if (scenario == "early") return {.early_call = 3};
  if (scenario == "hangs") return {.hangs = 3};
  if (scenario == "device") return {.device = 3};
  return {};
}

// One all-reduce a step.
void train(Communicator& communicator) {
  const at::Tensor gradient = at::zeros({kLeaves * kSize});
  std::vector<at::Tensor> leaves;
  std::vector<std::int64_t> offsets;
  for (std::int64_t i = 0; i < kLeaves; ++i) {
    leaves.push_back(at::zeros({kSize}).requires_grad_(true));
    leaves.back().mutable_grad() = gradient.narrow(0, i * kSize, kSize);
    offsets.push_back(i * kSize);
  }
  GradientReducer reducer(communicator, leaves, offsets, gradient, gradient.numel(), {});
  for (std::int64_t step = 1; step <= kSteps; ++step) {
    communicator.at_step(step);
    gradient.fill_(static_cast<double>(step * (communicator.rank() + 1)));
    reducer.finish();
    fmt::print("rank {} step {} sum {}\n", communicator.rank(), step, gradient.sum().item<double>());
    std::fflush(stdout);
  }
}

int run(const std::string& scenario) {
  auto host = make_communicator({.timeout_seconds = 600});
  start_log(host->rank(), host->size());
  const bool last = host->rank() == host->size() - 1;
  auto nccl = std::make_unique<FakeNccl>(*host, fault_of(scenario, last));
  const auto communicator = make_nccl_communicator(std::move(host), std::move(nccl),
                                                   {.timeout_seconds = scenario == "hangs" ? 1.0 : 600.0});
  try {
    train(*communicator);
  } catch (const std::exception& error) {  // as a Job does
    spdlog::error("{}", error.what());
    communicator->abort(1);
  }
  // Until the watchdog has seen it and ends the job.
  while (scenario == "hangs" || scenario == "device")
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  communicator->barrier();
  return 0;
}

}  // namespace
}  // namespace relmpi

int main(int argc, char** argv) {
  at::set_num_threads(1);
  return relmpi::run(argc > 1 ? argv[1] : "");
}
