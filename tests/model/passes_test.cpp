// Whole passes over a tiny model: what padding must not change, and where gradients go.

#include <gtest/gtest.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include "base/torch_headers.h"
#include "model/dgca/leaf_gradients.h"
#include "model/dgca/predictor.h"
#include "model/dgca/tiny_model.h"
#include "model/kernels/own_kernels.h"

namespace relmpi {
namespace {

struct Outcome {
  at::Tensor sums, grad;
};

// Loss sums and gradients of the tiny rows, in passes of `rows_a_pass`, widths rounded up to `multiple`.
Outcome run(std::int64_t rows_a_pass, std::int64_t multiple) {
  const Model model = tiny_model(at::kCPU);
  const InputBuilder builder(model.config, *model.vocabulary, model.candidates, multiple);
  TinyRows rows;
  Outcome out{.sums = at::zeros({4})};
  for (std::int64_t begin = 0; begin < TinyRows::kRows; begin += rows_a_pass) {
    const Batch batch = rows.rows(begin, std::min(rows_a_pass, TinyRows::kRows - begin));
    const Inputs inputs = builder.build(batch, {}, at::kCPU);
    EXPECT_EQ(inputs.width % multiple, 0);
    const Weights weights = make_weights(*model.parameters, model.config, at::kFloat);
    const at::Tensor prompt = prompt_vectors(*model.parameters);
    const Heads heads = forward(weights, model.config, inputs, prompt, model.candidate_table(), Mode::kTrain);
    const LossSums sums = loss_sums(weights, model.config, inputs, heads, {});
    total_loss(sums, {.positions = 30, .characters = 30, .ranked = 30, .masked = 1}, {}).backward();
    out.sums += sums.stacked();
  }
  out.grad = model.parameters->flat_grad();
  return out;
}

TEST(Passes, PaddingChangesNothing) {
  const Outcome alone = run(1, 1);  // no padding at all
  for (const std::int64_t rows : {1, 4, 6}) {
    for (const std::int64_t multiple : {1, 8, 32}) {
      const Outcome padded = run(rows, multiple);
      EXPECT_TRUE(at::allclose(padded.sums, alone.sums, 1e-5, 1e-5))
          << rows << " rows, widths of " << multiple;
      const double largest = alone.grad.abs().max().item<double>();
      EXPECT_LT((padded.grad - alone.grad).abs().max().item<double>(), 1e-5 * largest)
          << rows << " rows, widths of " << multiple;
    }
  }
}

TEST(Passes, TheGeneralPathGivesTheSameLossesAndGradients) {
  const Outcome own = run(3, 1);
  const GeneralKernels general;
  const Outcome other = run(3, 1);
  EXPECT_TRUE(at::allclose(other.sums, own.sums, 1e-5, 1e-5));
  const double largest = own.grad.abs().max().item<double>();
  EXPECT_LT((other.grad - own.grad).abs().max().item<double>(), 1e-5 * largest);
}

class CountingHook : public torch::autograd::PostAccumulateGradHook {
 public:
  explicit CountingHook(int& calls) : calls_(calls) {}
  void operator()(const at::Tensor&) override { ++calls_; }

 private:
  int& calls_;
};

// The slow twin casts the leaf inside the graph.
TEST(Passes, GradientsOfTheCopyAreThoseOfACast) {
  at::manual_seed(1);
  const at::Tensor x = at::randn({7, 5}).to(at::kBFloat16), values = at::randn({3, 5});
  const auto gradient_of = [&](const at::Tensor& leaf, const at::Tensor& weight) {
    at::linear(x, weight).to(at::kFloat).square().sum().backward();
    return leaf.grad();
  };
  at::Tensor twin = values.clone().requires_grad_(true);
  const at::Tensor expected = gradient_of(twin, twin.to(at::kBFloat16)).clone();
  at::Tensor leaf = values.clone().requires_grad_(true);
  leaf.mutable_grad() = at::zeros_like(values);
  int calls = 0;
  torch::autograd::impl::set_post_acc_grad_hooks(leaf, std::make_unique<CountingHook>(calls));
  const at::Tensor copy = values.to(at::kBFloat16);
  const auto pass = [&] {
    return gradient_of(leaf, use_leaf(leaf, copy, std::make_shared<LeafGradients>(at::kCPU)));
  };
  EXPECT_TRUE(at::equal(pass(), expected));
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(at::equal(pass(), expected + expected));  // a second micro-batch
  EXPECT_EQ(calls, 2);
}

// More leaves than travel together, of both dtypes; the hooks wait for the sums.
TEST(Passes, GradientsThatWaitForEachOtherAllArrive) {
  const GeneralKernels general;
  const auto gradients = std::make_shared<LeafGradients>(at::kCPU);
  std::vector<at::Tensor> leaves;
  at::Tensor sum = at::zeros({3});
  int calls = 0;
  for (int i = 0; i < 41; ++i) {
    const at::Tensor leaf = at::full({3}, static_cast<double>(i)).requires_grad_(true);
    leaf.mutable_grad() = at::ones({3});
    torch::autograd::impl::set_post_acc_grad_hooks(leaf, std::make_unique<CountingHook>(calls));
    const at::Tensor values = i % 3 == 0 ? leaf.detach().to(at::kBFloat16) : leaf.detach();
    sum = sum + use_leaf(leaf, values, gradients).to(at::kFloat) * static_cast<double>(i);
    leaves.push_back(leaf);
  }
  sum.sum().backward();
  EXPECT_EQ(calls, 41);
  for (std::size_t i = 0; i < leaves.size(); ++i)
    EXPECT_TRUE(leaves[i].grad().eq(1 + static_cast<double>(i)).all().item<bool>()) << i;
}

TEST(Parameters, TheCopyFollowsWhenAsked) {
  const Model model = tiny_model(at::kCPU);
  Parameters& parameters = *model.parameters;
  parameters.keep_copy(at::kBFloat16);
  const std::string name = "cls.predictions.transform.dense.weight";
  const auto is_current = [&] {
    return at::equal(parameters.values(name, at::kBFloat16), parameters.leaf(name).to(at::kBFloat16));
  };
  EXPECT_TRUE(is_current());
  parameters.flat().mul_(3);
  EXPECT_FALSE(is_current());
  parameters.refresh_copy();
  EXPECT_TRUE(is_current());
  std::map<std::string, at::Tensor> file;
  for (const auto& [view_name, view] : parameters.named_views(parameters.flat())) file[view_name] = view + 1;
  parameters.load(file, "test");
  EXPECT_TRUE(is_current());
}

}  // namespace
}  // namespace relmpi
