#include "model/dgca/leaf_linear.h"

#include "base/torch_headers.h"
#include "model/kernels/linear.h"

namespace relmpi {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class LeafLinear : public torch::autograd::Function<LeafLinear> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias, const c10::intrusive_ptr<LeafSums>& sums) {
    context->save_for_backward({x, weight});
    context->saved_data["sums"] = at::IValue::make_capsule(sums);
    return at::linear(x, weight, bias);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1];
    const auto sums = c10::static_intrusive_pointer_cast<LeafSums>(context->saved_data["sums"].toCapsule());
    const at::Tensor grad = grads[0].reshape({-1, weight.size(0)});
    at::Tensor grad_x;
    if (context->needs_input_grad(0)) grad_x = at::mm(grad, weight).view(x.sizes());
    add_product(sums->weight, grad.t(), x.reshape({-1, weight.size(1)}));
    sums->gradients->add_to(sums->bias, at::sum(grad, {0}, /*keepdim=*/false, at::kFloat));
    return {grad_x, {}, {}, {}};
  }
};

}  // namespace

at::Tensor leaf_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       const c10::intrusive_ptr<LeafSums>& sums) {
  return LeafLinear::apply(x, weight, bias, sums);
}

}  // namespace relmpi
