#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <set>
#include <string>

#include "dist/ranks/communicator.h"

namespace CLI {
class App;
}

namespace relmpi {

struct Invocation;  // base/tool.h

struct JobOptions {
  std::string device = "auto";
  int threads = 0;
  double collective_timeout = 600;
};

// Declares --device, --threads and --collective-timeout.
void add_job_options(CLI::App& app, JobOptions& options);

// The ranks of this run, from the start to the end of a command.
class Job {
 public:
  // Starts ranks and log, demands that program and options are the same on all ranks, and sets device and
  // threads. `may_differ`: long names of the command's options, without the dashes, that ranks may be given
  // differently besides device and threads: paths, if what they hold is compared later. An empty
  // options.device chooses none: what runs sees to its devices itself. From now on a command that fails ends
  // the other ranks. Throws InputError. Every rank must call it.
  Job(const JobOptions& options, Invocation& invocation, const std::set<std::string>& may_differ = {});

  // Sums tensors if they are from now on: by NCCL if the ranks compute on GPUs. Until then, and for a
  // job on the CPU, collectives run over host memory. Every rank must call it.
  void reduce_on_device();

  Communicator& ranks() const { return **ranks_; }
  bool is_first() const { return ranks().rank() == 0; }
  at::Device device() const { return device_; }
  int threads() const { return threads_; }

 private:
  CommunicatorOptions limits_;
  // Shared with Invocation::end_peers: when a command throws, the ranks must be there until they are ended.
  std::shared_ptr<std::unique_ptr<Communicator>> ranks_;
  at::Device device_ = at::kCPU;
  int threads_ = 1;
};

}  // namespace relmpi
