#include "model/dgca/shared_embedding.h"

#include "base/torch_headers.h"
#include "model/kernels/own_kernels.h"

namespace relmpi {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// at::embedding with a backward pass that touches the rows it read and no others.
class LookUp : public torch::autograd::Function<LookUp> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& table, const at::Tensor& ids) {
    context->save_for_backward({table, ids});
    return at::embedding(table, ids);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &table = saved[0], &ids = saved[1];
    at::Tensor sink = gradient_sink(table);
    const at::Tensor grad = grads[0].contiguous();
    if (!own_kernels(table.device())) {
      // libtorch's own sorts the ids: sums in a fixed order.
      sink.add_(at::embedding_dense_backward(grad, ids, table.size(0), -1, false));
      return {unless_sunk(table, sink), {}};
    }
    const std::int64_t width = grad.size(1);
    const float* rows = grad.const_data_ptr<float>();
    float* out = sink.data_ptr<float>();
    const std::int64_t* id = ids.const_data_ptr<std::int64_t>();
    for (std::int64_t n = 0; n < ids.size(0); ++n)
      for (std::int64_t i = 0; i < width; ++i) out[id[n] * width + i] += rows[n * width + i];
    return {unless_sunk(table, sink), {}};
  }
};

}  // namespace

at::Tensor gradient_sink(const at::Tensor& table) {
  if (table.is_leaf() && table.grad().defined()) return table.grad();
  return at::zeros(table.sizes(), table.options().dtype(at::kFloat));
}

at::Tensor unless_sunk(const at::Tensor& table, const at::Tensor& sink) {
  return table.is_leaf() && table.grad().is_same(sink) ? at::Tensor() : sink;
}

at::Tensor look_up(const at::Tensor& table, const at::Tensor& ids) {
  return LookUp::apply(table, ids.contiguous());
}

}  // namespace relmpi
