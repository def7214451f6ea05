#include "model/dgca/lstm.h"

#include <gtest/gtest.h>

#include "base/torch_headers.h"

namespace relmpi {
namespace {

struct Outcome {
  at::Tensor states;
  std::vector<at::Tensor> grads;  // of x and the eight weights
};

template <typename Lstm>
Outcome run(const Lstm& lstm, const std::vector<at::Tensor>& values) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& value : values) leaves.push_back(value.clone().requires_grad_(true));
  const at::Tensor states = lstm(leaves);
  (states * at::arange(states.numel(), states.options()).view(states.sizes()).cos()).sum().backward();
  Outcome out{states.detach(), {}};
  for (const at::Tensor& leaf : leaves) out.grads.push_back(leaf.grad());
  return out;
}

Outcome ours(const std::vector<at::Tensor>& values) {
  return run(
      [](const std::vector<at::Tensor>& v) {
        std::vector<LstmLayer> layers;
        for (std::size_t i = 1; i < v.size(); i += 8)
          layers.push_back({{v[i], v[i + 1], v[i + 2], v[i + 3]}, {v[i + 4], v[i + 5], v[i + 6], v[i + 7]}});
        return bidirectional_lstm(v[0], layers);
      },
      values);
}

Outcome libtorchs(const std::vector<at::Tensor>& values) {
  return run(
      [](const std::vector<at::Tensor>& v) {
        const auto layers = static_cast<std::int64_t>(v.size() / 8);
        const at::Tensor zeros = at::zeros({2 * layers, 1, v[2].size(1)});
        const std::vector<at::Tensor> weights(v.begin() + 1, v.end());
        return std::get<0>(
                   at::lstm(v[0].unsqueeze(1), {zeros, zeros}, weights, true, layers, 0.0, true, true, false))
            .squeeze(1);
      },
      values);
}

TEST(Lstm, EqualsThatOfLibtorchWithAllGradients) {
  for (const auto& [steps, in, size, layers] :
       {std::tuple{1, 3, 2, 1}, {2, 5, 7, 1}, {6, 16, 8, 2}, {9, 4, 12, 3}}) {
    at::manual_seed(static_cast<std::uint64_t>(steps));
    std::vector<at::Tensor> values{at::randn({steps, in})};
    for (int direction = 0; direction < 2 * layers; ++direction)
      for (const at::Tensor& weight :
           {at::randn({4 * size, direction < 2 ? in : 2 * size}), at::randn({4 * size, size}),
            at::randn({4 * size}), at::randn({4 * size})})
        values.push_back(weight * 0.5);
    const Outcome got = ours(values), wanted = libtorchs(values);
    EXPECT_TRUE(at::allclose(got.states, wanted.states, 1e-5, 1e-6)) << steps;
    for (std::size_t i = 0; i < values.size(); ++i)
      EXPECT_TRUE(at::allclose(got.grads[i], wanted.grads[i], 1e-4, 1e-5)) << steps << " steps, tensor " << i;
  }
}

}  // namespace
}  // namespace relmpi
