#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "dist/ranks/communicator.h"
#include "model/dgca/predictor.h"

namespace relmpi {

// What every command that runs a model is told about model, device and ranks.
struct SessionOptions {
  std::string model, precision = "fp32", device = "auto";
  double detect, gate, margin;  // NaN: as the model folder says
  int threads = 0;
  double timeout = 600;
  const CLI::App* command = nullptr;  // whose options these are

  SessionOptions();
  void add_to(CLI::App& command);
};

// A model opened on this rank's device, with the decision thresholds that were asked for.
struct Session {
  Model model;
  std::unique_ptr<Predictor> predictor;  // of `model`, which must stay where it is

  // Starts the ranks, the log and the device; fills `communicator`.
  Session(const SessionOptions& options, std::unique_ptr<Communicator>& communicator);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
};

}  // namespace relmpi
