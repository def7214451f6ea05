#include "eval/csc/corrector_session.h"

#include <cmath>
#include <limits>

#include "base/torch_headers.h"
#include "dist/ranks/agreement.h"
#include "model/dtype.h"

namespace relmpi {
namespace {

// A wrong --precision is found before the weights are read.
Job start(const CorrectorSessionOptions& options, Invocation& invocation, std::set<std::string> may_differ) {
  dtype_of(options.precision);
  may_differ.insert("model");
  return {options.job, invocation, may_differ};
}

}  // namespace

CorrectorSessionOptions::CorrectorSessionOptions() {
  detect = gate = margin = std::numeric_limits<double>::quiet_NaN();
}

void CorrectorSessionOptions::add_to(CLI::App& to) {
  to.add_option("--model", model, "model folder, such as RUN/model")->required();
  to.add_option("--detect-threshold", detect, "accept a change where d >= this; default: the model's");
  to.add_option("--gate-threshold", gate, "and alpha >= this; default: the model's");
  to.add_option("--margin", margin,
                "and log p(change) - log p(character as it is) >= this; default: the model's");
  to.add_option("--precision", precision, "fp32, bf16 or fp16")->capture_default_str();
  add_job_options(to, job);
}

CorrectorSession::CorrectorSession(const CorrectorSessionOptions& options, Invocation& invocation,
                                   std::set<std::string> data)
    : job(start(options, invocation, std::move(data))), model(load_model(options.model, job.device())) {
  DecisionThresholds& thresholds = model.config.thresholds;
  if (!std::isnan(options.detect)) thresholds.detect = options.detect;
  if (!std::isnan(options.gate)) thresholds.gate = options.gate;
  if (!std::isnan(options.margin)) thresholds.margin = options.margin;
  model.config.validate();
  demand_agreement(job.ranks(), {{"model", to_json(model.config)}, {"weights", model.parameters->hash()}});
  predictor = std::make_unique<Predictor>(model, dtype_of(options.precision));
}

}  // namespace relmpi
