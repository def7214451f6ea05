#include "model/kernels/linear.h"

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <string_view>

#include "model/kernels/own_kernels.h"

namespace relmpi {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Multiplications below which finding the primitive costs more than it saves.
constexpr std::int64_t kWorthwhile = 1 << 20;

using Linear = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                          std::string_view, c10::List<std::optional<at::Scalar>>,
                          std::optional<std::string_view>);

// libtorch's operator on ordinary tensors; absent if it was built without oneDNN.
const std::optional<c10::TypedOperatorHandle<Linear>>& onednn_linear() {
  static const auto found = []() -> std::optional<c10::TypedOperatorHandle<Linear>> {
    const auto schema = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
    if (!schema || !schema->hasKernelForDispatchKey(c10::DispatchKey::CPU)) return std::nullopt;
    return schema->typed<Linear>();
  }();
  return found;
}

bool by_onednn(const at::Tensor& a, std::int64_t rows, std::int64_t out, std::int64_t in) {
  return own_kernels(a.device()) && a.scalar_type() == at::kFloat && rows * out * in >= kWorthwhile &&
         onednn_linear().has_value();
}

at::Tensor call_onednn(const at::Tensor& a, const at::Tensor& b, const std::optional<at::Tensor>& bias) {
  const at::AutoDispatchBelowAutograd below;
  return onednn_linear()->call(a, b, bias, "none", c10::List<std::optional<at::Scalar>>(), "");
}

class OnednnLinear : public torch::autograd::Function<OnednnLinear> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias) {
    context->save_for_backward({x, weight});
    return call_onednn(x, weight, bias);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &grad = grads[0];
    at::Tensor grad_x, grad_weight, grad_bias;
    if (context->needs_input_grad(0)) grad_x = product_transposed(grad, weight.t());
    if (context->needs_input_grad(1)) grad_weight = product_transposed(grad.t(), x.t());
    if (context->needs_input_grad(2)) grad_bias = grad.sum(0);
    return {grad_x, grad_weight, grad_bias};
  }
};

}  // namespace

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const std::int64_t out = weight.size(0), in = weight.size(1);
  if (!by_onednn(x, x.numel() / in, out, in)) return at::linear(x, weight, bias);
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = out;
  return OnednnLinear::apply(x.reshape({-1, in}), weight, bias).view(shape);
}

void add_product(at::Tensor sum, const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() == at::kFloat)
    sum.addmm_(a, b);
  else if (!a.is_cpu())
    at::addmm_out(sum, sum, a, b, at::kFloat);
  else
    sum.add_(at::mm(a, b));
}

at::Tensor product_transposed(const at::Tensor& a, const at::Tensor& b) {
  if (!by_onednn(a, a.size(0), b.size(0), a.size(1))) return at::matmul(a, b.t());
  return call_onednn(a, b, std::nullopt);
}

}  // namespace relmpi
