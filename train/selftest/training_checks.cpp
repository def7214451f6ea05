#include <array>

#include "base/torch_headers.h"
#include "dist/ranks/backends.h"
#include "model/dgca/tiny_model.h"
#include "model/dtype.h"
#include "train/selftest/compared.h"
#include "train/selftest/selftest.h"
#include "train/step.h"

namespace relmpi {
namespace {

struct How {
  std::string precision = "fp32";
  bool graphs = false;
  double dropout = 0;
};

// A tiny model in training, on one rank whatever the number of ranks.
class TinyTraining {
 public:
  TinyTraining(at::Device device, const How& how) : model_(tiny_model(device)) {
    ModelConfig& c = model_.config;
    c.hidden_dropout_prob = c.attention_probs_dropout_prob = c.head_dropout = how.dropout;
    StepOptions options;
    options.precision = how.precision;
    options.cuda_graphs = how.graphs;
    options.clip = 0;  // the gradients stay as they are
    step_.emplace(model_, alone_, options);
  }

  // One step of two micro-batches. Returns the sums of the losses, on the device.
  at::Tensor step() {
    return step_->run({.micro_batches = {rows_.rows(0, 4), rows_.rows(4, 2)}}, number_++, kRate, false).sums;
  }
  at::Tensor gradients() const { return model_.parameters->flat_grad().to(at::kCPU, false, true); }
  at::Tensor parameters() const { return model_.parameters->flat().to(at::kCPU, false, true); }
  Optimizer& optimizer() { return step_->optimizer(); }

 private:
  static constexpr double kRate = 1e-3;
  Communicator alone_;
  Model model_;
  TinyRows rows_;
  std::optional<TrainStep> step_;
  std::int64_t number_ = 0;
};

struct Trained {
  at::Tensor losses;     // (steps, 4)
  at::Tensor gradients;  // of the first step
};

constexpr int kSteps = 6;

Trained train(at::Device device, const How& how) {
  TinyTraining training(device, how);
  std::vector<at::Tensor> losses{training.step().to(at::kCPU)};
  const at::Tensor gradients = training.gradients();
  for (int i = 1; i < kSteps; ++i) losses.push_back(training.step().to(at::kCPU));
  return {at::stack(losses), gradients};
}

// Relative, of norms. Between the general path and the CPU's own operators, which round and sum in other
// orders, this model shows 2e-8 and 2e-7 in fp32, 5e-5 and 5e-3 in bf16, 7e-6 and 7e-4 in fp16; a wrong
// formula shows percents.
struct Limits {
  double losses, gradients;
};
Limits limits_of(const std::string& precision) {
  if (precision == "fp32") return {1e-5, 1e-4};
  return precision == "fp16" ? Limits{1e-3, 1e-2} : Limits{5e-3, 5e-2};
}

std::string training_equals_the_cpus(at::Device device, const std::string& precision) {
  const Trained wanted = train(at::kCPU, {});
  const UnderTest under_test(device);
  const Trained found = train(device, {.precision = precision});
  const Limits limits = limits_of(precision);
  return fmt::format(
      "{} steps: {}, {}", kSteps,
      within("losses differ by", relative_error(found.losses, wanted.losses), limits.losses),
      within("gradients by", relative_error(found.gradients, wanted.gradients), limits.gradients));
}

// fp16 gradients of a loss times 1e30 are infinite.
std::string overflow_is_skipped(at::Device device) {
  const UnderTest under_test(device);
  TinyTraining training(device, {.precision = "fp16"});
  training.step();
  const at::Tensor before = training.parameters();
  at::Tensor scale = training.optimizer().loss_scale();
  const double usual = scale.item<double>();
  scale.fill_(1e30);
  training.step();
  if (!training.parameters().equal(before))
    throw Fault("a step whose gradients overflowed changed the weights");
  if (training.optimizer().skipped().item<double>() != 1)
    throw Fault("a step that overflowed was not counted");
  const double after = scale.item<double>();
  if (std::abs(after / 0.5e30 - 1) > 1e-5)
    throw Fault(fmt::format("the scale went from 1e30 to {:.3g}, not to half", after));
  scale.fill_(usual);
  training.step();
  if (training.parameters().equal(before)) throw Fault("the step after an overflow changed nothing");
  return fmt::format("an overflow is skipped, the scale halved; usual scale {:.0f}", usual);
}

std::string graphs_equal_eager_steps(at::Device device) {
  if (!device.is_cuda()) throw Skip("needs a GPU");
  std::string figures;
  for (const auto& [precision, limit] : {std::pair{"fp32", 1e-4}, {"bf16", 3e-2}, {"fp16", 3e-2}}) {
    const at::Tensor eager = train(device, {.precision = precision, .dropout = 0.1}).losses;
    const at::Tensor graphs = train(device, {.precision = precision, .graphs = true, .dropout = 0.1}).losses;
    figures += (figures.empty() ? "" : ", ") +
               within(std::string(precision) + " losses differ by", relative_error(graphs, eager), limit);
  }
  return figures;
}

}  // namespace

std::vector<Check> training_checks(at::Device device) {
  std::vector<Check> checks;
  for (const std::string precision : {"fp32", "bf16", "fp16"})
    checks.push_back({"training " + precision, [=] { return training_equals_the_cpus(device, precision); }});
  checks.push_back({"loss scaling", [=] { return overflow_is_skipped(device); }});
  checks.push_back({"training graphs", [=] { return graphs_equal_eager_steps(device); }});
  return checks;
}

}  // namespace relmpi
