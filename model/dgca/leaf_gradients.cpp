#include "model/dgca/leaf_gradients.h"

#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/variable.h>

#include <limits>

#include "base/torch_headers.h"
#include "model/kernels/own_kernels.h"

namespace relmpi {
namespace {

constexpr std::size_t kTogether = 32;  // leaves: those of two and two thirds layers of the encoder

// In place of AccumulateGrad, which wants the gradient in the leaf's dtype and runs on the stream that was
// current when the leaf was first used: a CUDA graph of another stream could not hold it.
class LeafGradient : public torch::autograd::Node {
 public:
  // First of what is ready, so that a gradient is there, and can travel, as soon as it is known.
  LeafGradient(at::Tensor leaf, std::shared_ptr<LeafGradients> gradients)
      : Node(std::numeric_limits<std::uint64_t>::max()),
        leaf_(std::move(leaf)),
        gradients_(std::move(gradients)) {}

  torch::autograd::variable_list apply(torch::autograd::variable_list&& grads) override {
    gradients_->add(leaf_, grads[0]);
    return {};
  }

 private:
  at::Tensor leaf_;
  std::shared_ptr<LeafGradients> gradients_;
};

}  // namespace

struct LeafGradients::Waiting {
  std::size_t together = 1;
  std::vector<at::Tensor> leaves;
  std::vector<at::Tensor> sums, grads;              // what is added to what, in fp32
  std::vector<at::Tensor> short_sums, short_grads;  // the same in 16 bits
};

LeafGradients::LeafGradients(at::Device device) : waiting_(std::make_unique<Waiting>()) {
  if (!own_kernels(device)) waiting_->together = kTogether;
}

LeafGradients::~LeafGradients() = default;

void LeafGradients::add(const at::Tensor& leaf, const at::Tensor& grad) {
  Waiting& waiting = *waiting_;
  if (waiting.leaves.empty() && waiting.together > 1)
    torch::autograd::Engine::get_default_engine().queue_callback(
        [self = shared_from_this()] { self->flush(); });
  waiting.leaves.push_back(leaf);
  if (grad.defined()) add_to(leaf.grad(), grad);
  if (waiting.leaves.size() >= waiting.together) flush();
}

void LeafGradients::add_to(const at::Tensor& sum, const at::Tensor& grad) {
  const bool wide = grad.scalar_type() == at::kFloat;
  (wide ? waiting_->sums : waiting_->short_sums).push_back(sum);
  (wide ? waiting_->grads : waiting_->short_grads).push_back(grad);
}

void LeafGradients::flush() {
  Waiting now = std::exchange(*waiting_, {.together = waiting_->together});
  if (now.short_grads.size() > 1) {
    // Made fp32 together, so that they can be added together.
    std::vector<at::Tensor> flat;
    std::vector<std::int64_t> sizes;
    for (const at::Tensor& grad : now.short_grads) {
      flat.push_back(grad.reshape(-1));
      sizes.push_back(grad.numel());
    }
    const auto wide = at::cat(flat).to(at::kFloat).split_with_sizes(sizes);
    for (std::size_t i = 0; i < wide.size(); ++i) {
      now.sums.push_back(now.short_sums[i]);
      now.grads.push_back(wide[i].view(now.short_sums[i].sizes()));
    }
  } else if (!now.short_grads.empty()) {
    now.short_sums[0].add_(now.short_grads[0]);
  }
  if (!now.sums.empty()) at::_foreach_add_(now.sums, now.grads);
  for (const at::Tensor& leaf : now.leaves)
    if (const auto& hook = torch::autograd::impl::post_acc_grad_hooks(leaf)) (*hook)(leaf);
}

at::Tensor use_leaf(const at::Tensor& leaf, const at::Tensor& values,
                    const std::shared_ptr<LeafGradients>& gradients) {
  at::Tensor used = values.detach();
  if (at::GradMode::is_enabled())
    torch::autograd::set_history(used, std::make_shared<LeafGradient>(leaf, gradients));
  return used;
}

}  // namespace relmpi
