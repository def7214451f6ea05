#include "eval/csc/corrector_session.h"

#include <cmath>
#include <limits>
#include <set>

#include "base/torch_headers.h"
#include "dist/ranks/agreement.h"
#include "dist/ranks/backends.h"
#include "dist/ranks/rank_device.h"
#include "model/dtype.h"

namespace relmpi {
namespace {

// Options that ranks may be given differently. Paths: what they hold is compared later.
const std::set<std::string> kMayDiffer{"device", "threads", "model", "data", "calibration"};

}  // namespace

SessionOptions::SessionOptions() { detect = gate = margin = std::numeric_limits<double>::quiet_NaN(); }

void SessionOptions::add_to(CLI::App& to) {
  command = &to;
  to.add_option("--model", model, "model folder, such as RUN/model")->required();
  to.add_option("--detect-threshold", detect, "accept a change where d >= this; default: the model's");
  to.add_option("--gate-threshold", gate, "and alpha >= this; default: the model's");
  to.add_option("--margin", margin,
                "and log p(change) - log p(character as it is) >= this; default: the model's");
  to.add_option("--precision", precision, "fp32, bf16 or fp16")->capture_default_str();
  to.add_option("--device", device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  to.add_option("--threads", threads, "CPU threads of a rank; 0 = its share of the cores")
      ->capture_default_str();
  to.add_option("--collective-timeout", timeout, "seconds before a collective that hangs ends the job")
      ->capture_default_str();
}

Session::Session(const SessionOptions& options, std::unique_ptr<Communicator>& communicator) {
  communicator = make_communicator({.timeout_seconds = options.timeout});
  start_log(communicator->rank(), communicator->size());
  nlohmann::json alike = program_facts();
  alike.update(option_facts(options.command->config_to_str(true, false), kMayDiffer));
  demand_agreement(*communicator, alike);
  const at::Device device_of_rank = choose_device(*communicator, options.device);
  set_threads(*communicator, options.threads);
  model = load_model(options.model, device_of_rank);
  DecisionThresholds& thresholds = model.config.thresholds;
  if (!std::isnan(options.detect)) thresholds.detect = options.detect;
  if (!std::isnan(options.gate)) thresholds.gate = options.gate;
  if (!std::isnan(options.margin)) thresholds.margin = options.margin;
  model.config.validate();
  demand_agreement(*communicator, {{"model", to_json(model.config)}, {"weights", model.parameters->hash()}});
  predictor = std::make_unique<Predictor>(model, dtype_of(options.precision));
}

}  // namespace relmpi
