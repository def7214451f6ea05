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

// x, other, W, bias and what is done with the product and `other`.
using LinearWith = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                              const std::optional<at::Tensor>&, std::string_view);

// libtorch's operator on ordinary tensors; absent if it was built without oneDNN.
template <typename Function>
std::optional<c10::TypedOperatorHandle<Function>> find_onednn(const char* overload) {
  const auto schema = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", overload});
  if (!schema || !schema->hasKernelForDispatchKey(c10::DispatchKey::CPU)) return std::nullopt;
  return schema->typed<Function>();
}

const std::optional<c10::TypedOperatorHandle<Linear>>& onednn_linear() {
  static const auto found = find_onednn<Linear>("");
  return found;
}

const std::optional<c10::TypedOperatorHandle<LinearWith>>& onednn_linear_with() {
  static const auto found = find_onednn<LinearWith>("binary");
  return found;
}

bool by_onednn(const at::Tensor& a, std::int64_t rows, std::int64_t out, std::int64_t in) {
  return own_kernels(a.device()) && a.scalar_type() == at::kFloat && rows * out * in >= kWorthwhile &&
         onednn_linear().has_value();
}

at::Tensor call_onednn(const at::Tensor& a, const at::Tensor& b, const std::optional<at::Tensor>& bias,
                       std::string_view after = "none") {
  const at::AutoDispatchBelowAutograd below;
  return onednn_linear()->call(a, b, bias, after, c10::List<std::optional<at::Scalar>>(), "");
}

at::Tensor call_onednn_with(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& other,
                            std::string_view after) {
  const at::AutoDispatchBelowAutograd below;
  return onednn_linear_with()->call(x, other, weight, std::nullopt, after);
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

namespace portable {

at::Tensor product_then(const at::Tensor& x, const at::Tensor& weight, Then then, const at::Tensor& other) {
  at::Tensor product = at::linear(x, weight);
  switch (then) {
    case Then::kNothing:
      break;
    case Then::kSilu:
      return at::silu_(product);
    case Then::kAdd:
      return product.add_(other);
    case Then::kMultiply:
      return product.mul_(other);
  }
  return product;
}

}  // namespace portable

at::Tensor product_then(const at::Tensor& x, const at::Tensor& weight, Then then, const at::Tensor& other) {
  // oneDNN adds up all products of an fp32 output one after the other, whereas libtorch's own adds them in
  // parts: long sums would lose their fourth decimal.
  constexpr std::int64_t kLongSum = 1024;
  const bool exact = x.scalar_type() != at::kFloat || x.size(1) < kLongSum;
  if (!exact || !own_kernels(x.device()) || !onednn_linear() || !onednn_linear_with())
    return portable::product_then(x, weight, then, other);
  switch (then) {
    case Then::kNothing:
      break;
    case Then::kSilu:
      return call_onednn(x, weight, std::nullopt, "swish");
    case Then::kAdd:
      return call_onednn_with(x, weight, other, "add");
    case Then::kMultiply:
      return call_onednn_with(x, weight, other, "mul");
  }
  return call_onednn(x, weight, std::nullopt);
}

}  // namespace relmpi
