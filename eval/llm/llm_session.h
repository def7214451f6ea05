#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/tool.h"
#include "dist/ranks/job.h"
#include "dist/ranks/share.h"
#include "model/llm/llm.h"

namespace relmpi {

// What every command that runs a decoder LLM is told about model, devices and ranks.
struct LlmSessionOptions {
  LlmPlacement where;
  std::string model;
  JobOptions job{.device = ""};

  void add_to(CLI::App& command);
};

// A model opened for this rank: with one process by the device map over all GPUs; with several, whole on each
// rank's own device.
struct LlmSession {
  Job job;
  Llm llm;

  // `input`: what the ranks answer, which must be the same on all. `file`: the option, without the dashes, of
  // the file that has it, whose path may differ. `workload` is asked once the folder is open, and before the
  // weights are read: bad prompts end a job early.
  LlmSession(const LlmSessionOptions& options, Invocation& invocation, const std::string& file,
             const std::string& input, const std::function<Workload(const LlmFolder&)>& workload);
  LlmSession(const LlmSession&) = delete;
  LlmSession& operator=(const LlmSession&) = delete;

  // Model, dtype, device map, bytes of the weights: for the header of a result.
  nlohmann::ordered_json header(const LlmSessionOptions& options) const;
};

}  // namespace relmpi
