#include "train/optimizer.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "model/dtype.h"

namespace relmpi {
namespace {

constexpr double kFirstScale = 65536.0;  // 2^16
constexpr std::int64_t kGrowthInterval = 2000;

}  // namespace

double schedule_factor(Schedule schedule, std::int64_t step, std::int64_t total, double warmup) {
  const double warm = std::ceil(warmup * static_cast<double>(total));
  const double now = static_cast<double>(step);
  if (now < warm) return (now + 1) / warm;
  if (schedule == Schedule::kConstant) return 1.0;
  const double rest = std::max(1.0, static_cast<double>(total) - warm);
  const double done = std::min(1.0, (now - warm) / rest);
  return schedule == Schedule::kLinear ? 1.0 - done : 0.5 * (1.0 + std::cos(std::numbers::pi * done));
}

Optimizer::Optimizer(Parameters& parameters, const StepOptions& options)
    : parameters_(parameters), options_(options), dynamic_scale_(dtype_of(options.precision) == at::kHalf) {
  const at::TensorOptions scalar = parameters.flat().options();
  exp_avg_ = at::zeros_like(parameters.flat());
  exp_avg_sq_ = at::zeros_like(parameters.flat());
  steps_ = at::zeros({}, scalar);
  scale_ = at::full({}, dynamic_scale_ ? kFirstScale : 1.0, scalar);
  growth_ = at::zeros({}, scalar.dtype(at::kInt));
  norm_ = at::zeros({}, scalar);
  found_inf_ = at::zeros({}, scalar);
  skipped_ = at::zeros({}, scalar);
  in_a_row_ = at::zeros({}, scalar);
  groups_ = {Group{.weight_decay = options.weight_decay}, Group{.weight_decay = 0.0}};
  for (std::size_t i = 0; i < parameters.leaves().size(); ++i) {
    const at::Tensor leaf = parameters.leaves()[i].detach();
    const auto part = [&](const at::Tensor& flat) {
      return flat.narrow(0, parameters.offsets()[i], leaf.numel()).view(leaf.sizes());
    };
    Group& group = groups_[parameters.specs()[i].decay ? 0 : 1];
    group.leaves.push_back(leaf);
    group.grads.push_back(part(parameters.flat_grad()));
    group.exp_avgs.push_back(part(exp_avg_));
    group.exp_avg_sqs.push_back(part(exp_avg_sq_));
    group.steps.push_back(steps_);
  }
}

void Optimizer::step(double lr) {
  const at::NoGradGuard no_grad;
  at::Tensor grad = parameters_.flat_grad();
  if (dynamic_scale_) grad.mul_(scale_.reciprocal());
  norm_ = grad.norm();
  found_inf_.copy_(norm_.isfinite().logical_not());
  if (options_.clip > 0) grad.mul_((options_.clip / (norm_ + 1e-6)).clamp_max(1.0));
  steps_.add_(1 - found_inf_);
  for (Group& group : groups_)
    at::_fused_adamw_(group.leaves, group.grads, group.exp_avgs, group.exp_avg_sqs, {}, group.steps, lr,
                      options_.beta1, options_.beta2, group.weight_decay, options_.epsilon, /*amsgrad=*/false,
                      /*maximize=*/false, /*grad_scale=*/std::nullopt, found_inf_);
  parameters_.refresh_copy();
  skipped_.add_(found_inf_);
  in_a_row_.add_(found_inf_).mul_(found_inf_);
  if (dynamic_scale_) at::_amp_update_scale_(scale_, growth_, found_inf_, 2.0, 0.5, kGrowthInterval);
}

std::vector<std::pair<std::string, at::Tensor>> Optimizer::scalars() const {
  return {{"step", steps_},
          {"loss_scale", scale_},
          {"growth", growth_},
          {"skipped", skipped_},
          {"in_a_row", in_a_row_}};
}

}  // namespace relmpi
