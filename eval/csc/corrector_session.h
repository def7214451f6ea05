#pragma once

#include <memory>
#include <string>

#include "base/tool.h"
#include "dist/ranks/job.h"
#include "model/dgca/predictor.h"

namespace relmpi {

// What every command that runs a model is told about model, device and ranks.
struct SessionOptions {
  std::string model, precision = "fp32";
  double detect, gate, margin;  // NaN: as the model folder says
  JobOptions job;

  SessionOptions();
  void add_to(CLI::App& command);
};

// The ranks, and a model opened on this rank's device with the decision thresholds that were asked for.
struct Session {
  Job job;
  Model model;
  std::unique_ptr<Predictor> predictor;  // of `model`, which must stay where it is

  Session(const SessionOptions& options, Invocation& invocation);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
};

}  // namespace relmpi
