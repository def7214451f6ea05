#pragma once

#include <memory>
#include <set>
#include <string>

#include "base/tool.h"
#include "dist/ranks/job.h"
#include "model/dgca/predictor.h"

namespace relmpi {

// What every command that runs a model is told about model, device and ranks.
struct CorrectorSessionOptions {
  std::string model, precision = "fp32";
  double detect, gate, margin;  // NaN: as the model folder says
  JobOptions job;

  CorrectorSessionOptions();
  void add_to(CLI::App& command);
};

// The ranks, and a model opened on this rank's device with the decision thresholds that were asked for.
struct CorrectorSession {
  Job job;
  Model model;
  std::unique_ptr<Predictor> predictor;  // of `model`, which must stay where it is

  // `data`: long names of the options, without the dashes, that name what the command reads. They may differ
  // between ranks, as the model's folder may: the command compares what they hold.
  CorrectorSession(const CorrectorSessionOptions& options, Invocation& invocation,
                   std::set<std::string> data);
  CorrectorSession(const CorrectorSession&) = delete;
  CorrectorSession& operator=(const CorrectorSession&) = delete;
};

}  // namespace relmpi
