#include "train/debug.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/anomaly_mode.h>

#include <cstdlib>

#include "base/torch_headers.h"
#include "train/deterministic.h"

namespace relmpi {
namespace {

bool finite(const at::Tensor& tensor) {
  return !tensor.defined() || tensor.detach().isfinite().all().item<bool>();
}

}  // namespace

void start_debugging() {
  ::setenv("CUDA_LAUNCH_BLOCKING", "1", 0);
  compute_deterministically();
  at::globalContext().setDeterministicFillUninitializedMemory(true);  // with NaN, which the checks find
  torch::autograd::AnomalyMode::set_enabled(true, /*check_nan=*/true);
}

void check_heads(const Heads& heads) {
  const std::pair<const char*, at::Tensor> named[] = {
      {"hidden states of the source slots", heads.source_hidden},
      {"hidden states of the target slots", heads.target_hidden},
      {"detector logits", heads.detector_logits},
      {"candidate probabilities", heads.candidate_probability},
      {"alpha", heads.alpha}};
  for (const auto& [name, tensor] : named)
    if (!finite(tensor))
      throw RuntimeError(
          "the {} hold NaN or infinity; the first such tensor of this forward pass. Look at the learning "
          "rate and at the model's weights",
          name);
}

void check_gradients(const Parameters& parameters, std::int64_t step) {
  for (const auto& [name, grad] : parameters.named_views(parameters.flat_grad()))
    if (!finite(grad)) throw RuntimeError("step {}: the gradient of {} holds NaN or infinity", step, name);
}

void check_replicas(const Parameters& parameters, Communicator& communicator, std::int64_t step) {
  if (communicator.size() == 1) return;
  const auto hashes = communicator.gather_bytes(parameters.hash());
  std::string problem;
  for (std::size_t rank = 1; rank < hashes.size(); ++rank)
    if (hashes[rank] != hashes[0]) problem += fmt::format(" {}", rank);
  problem = communicator.broadcast_bytes(problem);
  if (!problem.empty())
    throw RuntimeError(
        "step {}: the parameters of the ranks{} differ from rank 0's: a device computes wrongly, or the "
        "ranks run different binaries. Resume from the last checkpoint",
        step, problem);
}

}  // namespace relmpi
