#include "train/step.h"

#include <ATen/ATen.h>

#include <array>

#include "base/random.h"
#include "base/torch_headers.h"
#include "dist/devices/gpus.h"
#include "model/dtype.h"
#include "train/debug.h"

namespace relmpi {
namespace {

bool has_graphs(const Model& model, const StepOptions& options) {
  return options.cuda_graphs && model.parameters->device().is_cuda();
}

}  // namespace

TrainStep::TrainStep(Model& model, Communicator& communicator, const StepOptions& options)
    : model_(model),
      communicator_(communicator),
      options_(options),
      builder_(model.config, *model.vocabulary, model.candidates,
               has_graphs(model, options) ? kGraphWidthMultiple : 1),
      table_(model.candidate_table()),
      dtype_(dtype_of(options.precision)),
      optimizer_(*model.parameters, options),
      reducer_(communicator, model.parameters->leaves(), model.parameters->offsets(),
               model.parameters->flat_grad(), model.parameters->prompt_begin(),
               {.bucket_bytes = options.bucket_bytes,
                .overlap = !has_graphs(model, options),  // replays do not say when a gradient is there
                .dtype = dtype_of(options.precision)}) {
  model.parameters->keep_copy(dtype_);
  if (options.cuda_graphs) graphs_ = make_graphed_encoder(*model.parameters, model.config, dtype_);
}

StepResult TrainStep::run(const StepBatches& batches, std::int64_t number, double lr, bool stopping) {
  const ModelConfig& config = model_.config;
  StepResult result;
  const MaskOptions mask{.mode = mask_mode(config), .rate = options_.mft_rate, .seed = options_.seed};
  std::vector<Inputs> inputs;
  for (const Batch& batch : batches.micro_batches) {
    LossCounts part;
    inputs.push_back(builder_.build(batch, batches.epoch, mask, model_.parameters->device(), &part));
    result.counts += part;
    result.sentences += batch.rows;
    result.tokens += 2 * part.characters + 2 * config.border() * batch.rows;
  }
  result.stop = stopping;
  reduce_counts(result);

  model_.parameters->flat_grad().zero_();
  at::Tensor prompt, leaf;
  if (config.prompt_length > 0) {
    prompt = prompt_vectors(*model_.parameters);
    leaf = prompt.detach().requires_grad_(true);
    leaf.mutable_grad() = at::zeros_like(leaf);
  }
  result.sums = at::zeros({4}, model_.parameters->flat().options());
  for (std::size_t m = 0; m < inputs.size(); ++m) {
    at::Generator generator = at::globalContext().defaultGenerator(model_.parameters->device());
    generator.set_current_seed(Random(options_.seed, "dropout", number, communicator_.rank(), m).next());
    if (m + 1 == inputs.size() && !graphs_) reducer_.arm();
    result.micro_sums.push_back(backward(inputs[m], result.counts, leaf));
    result.sums += result.micro_sums.back();
  }
  reducer_.finish();
  if (prompt.defined()) finish_prompt(prompt, leaf);
  if (options_.debug) check_gradients(*model_.parameters, number);
  optimizer_.step(lr);
  return result;
}

// A masked character has no candidates: while they alone answer, there is nothing to learn from it.
MaskMode TrainStep::mask_mode(const ModelConfig& config) const {
  const bool candidates_alone = config.has_candidates() && config.output == Output::kCandidates;
  return candidates_alone ? MaskMode::kNone : options_.mft_mode;
}

void TrainStep::reduce_counts(StepResult& result) {
  std::array<std::int64_t, 7> all{result.counts.positions,
                                  result.counts.characters,
                                  result.counts.ranked,
                                  result.counts.masked,
                                  result.sentences,
                                  result.tokens,
                                  result.stop};
  communicator_.all_reduce_host(all.data(), static_cast<std::int64_t>(all.size()), ReduceType::kInt64);
  result.counts = {.positions = all[0], .characters = all[1], .ranked = all[2], .masked = all[3]};
  result.sentences = all[4];
  result.tokens = all[5];
  result.stop = all[6];
}

at::Tensor TrainStep::backward(const Inputs& inputs, const LossCounts& counts, const at::Tensor& prompt) {
  const LossOptions loss;
  const Weights weights = make_weights(*model_.parameters, model_.config, dtype_);
  const at::Tensor hidden = graphs_ ? graphs_->encode(weights, inputs, prompt)
                                    : encode(weights, model_.config, inputs, prompt, Mode::kTrain);
  const Heads heads = run_heads(weights, model_.config, inputs, hidden, table_, Mode::kTrain);
  if (options_.debug) check_heads(heads);
  const LossSums sums = loss_sums(weights, model_.config, inputs, heads, loss);
  const at::Tensor total = total_loss(sums, counts, loss);
  (dtype_ == at::kHalf ? total * optimizer_.loss_scale() : total).backward();
  return sums.stacked();
}

// The prompt network saw no text: every rank sends the gradient of its 2P x H output and backpropagates the
// sum.
void TrainStep::finish_prompt(const at::Tensor& output, const at::Tensor& leaf) {
  at::Tensor grad = leaf.grad();
  communicator_.all_reduce(grad.data_ptr(), grad.numel(), ReduceType::kFloat32,
                           current_stream(grad.device()));
  output.backward(grad);
}

}  // namespace relmpi
