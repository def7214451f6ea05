#include <chrono>
#include <thread>

#include "base/torch_headers.h"
#include "base/units.h"
#include "dist/devices/energy.h"
#include "dist/devices/gpus.h"
#include "dist/ranks/backends.h"
#include "model/dgca/tiny_model.h"
#include "train/selftest/selftest.h"
#include "train/step.h"
#if RELMPI_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#endif

namespace relmpi {
namespace {

// `steps` steps of a tiny model with dropout; `before` is told the number of each, and of one more.
void train(
    at::Device device, const std::string& precision, int steps,
    const std::function<void(int)>& before = [](int) {}) {
  Model model = tiny_model(device);
  ModelConfig& c = model.config;
  c.hidden_dropout_prob = c.attention_probs_dropout_prob = c.head_dropout = 0.1;
  Communicator alone;
  StepOptions options;
  options.precision = precision;
  TrainStep step(model, alone, options);
  TinyRows rows;
  for (int i = 0; i < steps; ++i) {
    before(i);
    step.run({.micro_batches = {rows.rows(0, 4), rows.rows(4, 2)}}, i, 1e-3, false);
  }
  before(steps);
}

#if RELMPI_CUDA
// libtorch throws at a call that waits for the device while this lives.
class NoWaits {
 public:
  NoWaits() { c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR); }
  ~NoWaits() { c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED); }
};

std::int64_t bytes_in_use(at::Device device) {
  namespace allocator = c10::cuda::CUDACachingAllocator;
  const auto stats = allocator::getDeviceStats(device.index());
  return stats.allocated_bytes[static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE)].current;
}
#endif

std::string a_steady_step_never_waits([[maybe_unused]] at::Device device) {
  if (!device.is_cuda()) throw Skip("needs a GPU");
#if RELMPI_CUDA
  for (const char* precision : {"fp32", "bf16", "fp16"}) {
    std::optional<NoWaits> no_waits;
    train(device, precision, 12, [&](int step) {
      if (step == 4) no_waits.emplace();
      if (step == 12) no_waits.reset();
    });
  }
#endif
  return "8 steps each in fp32, bf16 and fp16 without a wait for the device";
}

std::string memory_comes_back([[maybe_unused]] at::Device device) {
  if (!device.is_cuda()) throw Skip("needs a GPU");
#if RELMPI_CUDA
  train(device, "bf16", 3);  // what libraries keep from their first call on
  const std::int64_t before = bytes_in_use(device);
  train(device, "bf16", 6);
  const std::int64_t left = bytes_in_use(device) - before;
  if (left > 0) throw Fault(fmt::format("{} bytes of a training that ended are still in use", left));
#endif
  return "all of a training that ended";
}

std::string energy_is_counted(at::Device device) {
  if (!device.is_cuda()) throw Skip("needs a GPU");
  const EnergyMeter meter(device);
  const std::optional<double> before = meter.joules();
  if (!before) throw Skip("this GPU, or its driver, does not count energy: costs are measured in time alone");
  const auto begin = std::chrono::steady_clock::now();
  const at::Tensor a = at::randn({4096, 4096}, at::TensorOptions(device).dtype(at::kBFloat16));
  // Counters move every 20 to 100 ms.
  while (*meter.joules() <= *before) {
    at::mm(a, a).sum().item<double>();
    if (std::chrono::steady_clock::now() - begin > std::chrono::seconds(5))
      throw Fault("the energy counter stands still while the GPU works");
  }
  return fmt::format("the counter moves: {:.0f} J so far", *meter.joules() - *before);
}

}  // namespace

std::vector<Check> device_checks(at::Device device) {
  return {{"no wait in a step", [=] { return a_steady_step_never_waits(device); }},
          {"memory comes back", [=] { return memory_comes_back(device); }},
          {"energy counter", [=] { return energy_is_counted(device); }}};
}

}  // namespace relmpi
