#include "dist/ranks/job.h"

#include "base/tool.h"
#include "base/torch_headers.h"
#include "dist/ranks/agreement.h"
#include "dist/ranks/backends.h"
#include "dist/ranks/rank_device.h"

namespace relmpi {

void add_job_options(CLI::App& app, JobOptions& options) {
  app.add_option("--device", options.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--threads", options.threads, "CPU threads of a rank; 0 = its share of the cores")
      ->capture_default_str();
  app.add_option("--collective-timeout", options.collective_timeout,
                 "seconds before a collective that hangs ends the job")
      ->capture_default_str();
}

Job::Job(const JobOptions& options, Invocation& invocation, const std::set<std::string>& may_differ)
    : limits_{.timeout_seconds = options.collective_timeout},
      ranks_(std::make_shared<std::unique_ptr<Communicator>>(make_communicator(limits_))) {
  invocation.end_peers = [ranks = ranks_](int code) {
    if (*ranks && (*ranks)->size() > 1) (*ranks)->abort(code);
  };
  start_log(ranks().rank(), ranks().size());
  std::set<std::string> free = may_differ;
  free.insert({"device", "threads"});
  nlohmann::json alike = program_facts();
  alike.update(option_facts(invocation.command, free));
  demand_agreement(ranks(), alike);
  if (!options.device.empty()) device_ = choose_device(ranks(), options.device);
  threads_ = set_threads(ranks(), options.threads);
}

void Job::reduce_on_device() { *ranks_ = communicator_for(std::move(*ranks_), device_, limits_); }

}  // namespace relmpi
