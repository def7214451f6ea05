#include "model/dgca/lstm.h"

#include "base/torch_headers.h"
#include "model/upload.h"

namespace relmpi {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Rows (t, direction) of (T, 2, X), both directions at the same place in the sequence, as rows in which each
// direction has its own order of time, and back.
at::Tensor order_of(std::int64_t steps, at::Device device) {
  std::vector<std::int64_t> rows;
  for (std::int64_t t = 0; t < steps; ++t) rows.insert(rows.end(), {2 * t, 2 * (steps - 1 - t) + 1});
  return upload({rows}, device)[0];
}
at::Tensor turn(const at::Tensor& x, const at::Tensor& order) {
  return x.view({order.size(0), -1}).index_select(0, order).view(x.sizes());
}

// One step of both directions: row 0 forward, row 1 backward.
struct Cell {
  at::Tensor h, c;   // (2, H)
  at::Tensor gates;  // (2, 4H), activated
};

Cell advance(const at::Tensor& input_gates, const at::Tensor& hidden_gates, const at::Tensor& c) {
  if (!c.is_cpu()) {
    auto [h, next, gates] = at::_thnn_fused_lstm_cell(input_gates, hidden_gates, c);
    return {h, next, gates};
  }
  const auto parts = (input_gates + hidden_gates).chunk(4, 1);
  const at::Tensor i = parts[0].sigmoid(), f = parts[1].sigmoid(), g = parts[2].tanh(),
                   o = parts[3].sigmoid();
  const at::Tensor next = f * c + i * g;
  return {o * next.tanh(), next, at::cat({i, f, g, o}, 1)};
}

struct CellGradients {
  at::Tensor gates;  // (2, 4H), before they were activated
  at::Tensor c;      // (2, H), of the cell before
};

// `grad_c` undefined: the last step, whose cell nothing follows.
CellGradients retreat(const at::Tensor& grad_h, const at::Tensor& grad_c, const at::Tensor& c_before,
                      const Cell& cell) {
  if (!grad_h.is_cpu()) {
    auto [gates, c, bias] = at::_thnn_fused_lstm_cell_backward_impl(grad_h, grad_c, c_before, cell.c,
                                                                    cell.gates, /*has_bias=*/false);
    return {gates, c};
  }
  const auto parts = cell.gates.chunk(4, 1);
  const at::Tensor &i = parts[0], &f = parts[1], &g = parts[2], &o = parts[3];
  const at::Tensor t = cell.c.tanh();
  const at::Tensor of_h = grad_h * o * (1 - t * t), of_c = grad_c.defined() ? grad_c + of_h : of_h;
  return {at::cat({of_c * g * i * (1 - i), of_c * c_before * f * (1 - f), of_c * i * (1 - g * g),
                   grad_h * t * o * (1 - o)},
                  1),
          of_c * f};
}

// weight_ih (8H, in) and bias (8H) of both directions below each other, weight_hh (2, 4H, H).
class Layer : public torch::autograd::Function<Layer> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight_ih,
                            const at::Tensor& weight_hh, const at::Tensor& bias, const at::Tensor& order) {
    const std::int64_t steps = x.size(0), size = weight_hh.size(2);
    const at::Tensor input_gates = turn(at::addmm(bias, x, weight_ih.t()).view({steps, 2, 4 * size}), order);
    const at::Tensor hidden = weight_hh.transpose(1, 2);
    at::Tensor h = at::zeros({2, size}, x.options()), c = h;
    std::vector<at::Tensor> states, saved{x, weight_ih, weight_hh, order, {}};
    for (std::int64_t t = 0; t < steps; ++t) {
      const Cell cell = advance(input_gates.select(0, t), at::bmm(h.unsqueeze(1), hidden).squeeze(1), c);
      saved.insert(saved.end(), {c, cell.c, cell.gates});
      h = cell.h;
      c = cell.c;
      states.push_back(h);
    }
    const at::Tensor all = at::stack(states);  // (T, 2, H)
    saved[4] = all;
    context->save_for_backward(saved);
    return turn(all, order).view({steps, 2 * size});
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight_ih = saved[1], &weight_hh = saved[2], &order = saved[3],
                     &states = saved[4];
    const std::int64_t steps = x.size(0), size = weight_hh.size(2);
    const at::Tensor grad_h = turn(grads[0].reshape({steps, 2, size}), order);
    at::Tensor grad_c;
    std::vector<at::Tensor> grad_gates(static_cast<std::size_t>(steps));
    for (std::int64_t t = steps - 1; t >= 0; --t) {
      const at::Tensor* step = &saved[static_cast<std::size_t>(5 + 3 * t)];
      const CellGradients of = retreat(grad_h.select(0, t), grad_c, step[0], {{}, step[1], step[2]});
      grad_gates[static_cast<std::size_t>(t)] = of.gates;
      grad_c = of.c;
      if (t > 0) grad_h.select(0, t - 1).unsqueeze(1).baddbmm_(of.gates.unsqueeze(1), weight_hh);
    }
    const at::Tensor in_time = at::stack(grad_gates);  // (T, 2, 4H)
    // Step 0 had no state before it.
    const at::Tensor grad_hh = at::bmm(in_time.narrow(0, 1, steps - 1).permute({1, 2, 0}),
                                       states.narrow(0, 0, steps - 1).transpose(0, 1));
    const at::Tensor in_place = turn(in_time, order).view({steps, 8 * size});
    return {at::mm(in_place, weight_ih), at::mm(in_place.t(), x), grad_hh, in_place.sum(0), {}};
  }
};

}  // namespace

at::Tensor bidirectional_lstm(const at::Tensor& x, const std::vector<LstmLayer>& layers) {
  const at::Tensor order = order_of(x.size(0), x.device());
  at::Tensor states = x;
  for (const auto& [forward, backward] : layers)
    states = Layer::apply(
        states, at::cat({forward.weight_ih, backward.weight_ih}),
        at::stack({forward.weight_hh, backward.weight_hh}),
        at::cat({forward.bias_ih, backward.bias_ih}) + at::cat({forward.bias_hh, backward.bias_hh}), order);
  return states;
}

}  // namespace relmpi
