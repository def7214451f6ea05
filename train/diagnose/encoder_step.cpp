#include "train/diagnose/encoder_step.h"

#include "base/torch_headers.h"
#include "model/dgca/predictor.h"
#include "model/dtype.h"

namespace relmpi {

at::Tensor fixed_prompt(const Model& model) {
  const at::NoGradGuard no_grad;
  return model.config.prompt_length > 0 ? prompt_vectors(*model.parameters) : at::Tensor();
}

namespace {

// Where the leaves end that the encoder uses: a bucket with others would never be full.
std::int64_t encoder_end(const Parameters& parameters) {
  for (std::size_t i = 0; i < parameters.specs().size(); ++i) {
    const std::string& name = parameters.specs()[i].name;
    if (!name.starts_with("bert.") && !name.starts_with("dgca.final_norm")) return parameters.offsets()[i];
  }
  return parameters.prompt_begin();
}

}  // namespace

EncoderStep::EncoderStep(const Model& model, Communicator& communicator, const StepOptions& options)
    : model_(model),
      dtype_(dtype_of(options.precision)),
      optimizer_(*model.parameters, options),
      reducer_(communicator, model.parameters->leaves(), model.parameters->offsets(),
               model.parameters->flat_grad(), encoder_end(*model.parameters),
               {.bucket_bytes = options.bucket_bytes, .dtype = dtype_}),
      prompt_(fixed_prompt(model)),
      direction_(at::randn({model.config.hidden_size}, model.parameters->flat().options()).to(dtype_)),
      lr_(options.lr) {
  model.parameters->keep_copy(dtype_);
}

void EncoderStep::run(const std::vector<Inputs>& micro_batches) {
  model_.parameters->flat_grad().zero_();
  for (std::size_t m = 0; m < micro_batches.size(); ++m) {
    if (m + 1 == micro_batches.size()) reducer_.arm();
    const Weights weights = make_weights(*model_.parameters, model_.config, dtype_);
    const at::Tensor hidden = encode(weights, model_.config, micro_batches[m], prompt_, Mode::kTrain);
    at::mv(hidden, direction_).to(at::kFloat).mean().backward();
  }
  reducer_.finish();
  optimizer_.step(lr_);
}

}  // namespace relmpi
