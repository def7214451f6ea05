// relmpi-doctor: what this machine, its devices and its ranks can do.

#include <cstdio>
#include <optional>

#include "base/tool.h"
#include "base/torch_headers.h"
#include "dist/commands/plan.h"
#include "dist/devices/gpus.h"
#include "dist/devices/host_checks.h"
#include "dist/ranks/backends.h"
#include "dist/ranks/doctor.h"
#include "dist/ranks/rank_device.h"
#include "model/llm/plan_report.h"

int main(int argc, char** argv) {
  using namespace relmpi;
  CLI::App app(
      "What this machine, its devices and its ranks can do, and what is wrong with them. Run it as the "
      "training is "
      "started:\n"
      "  relmpi-doctor environment                 versions, devices, and what will hurt\n"
      "  mpirun -np 4 relmpi-doctor environment    the same for every rank: hosts, devices, cores\n"
      "  mpirun -np 4 relmpi-doctor allreduce      does the interconnect add up, and how fast\n"
      "  relmpi-doctor plan --model-config DIR      where the layers of a language model would go\n"
      "Two GPUs slower than one? A hang at the start? Begin with these.",
      "relmpi-doctor");
  app.require_subcommand(1);
  bool json = false;
  std::string device = "auto", bytes = "256MiB";
  const auto command = [&](const char* name, const char* help) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->add_flag("--json", json, "print one JSON document");
    return sub;
  };
  CLI::App* devices = command("devices", "GPUs that this process sees, and their memory");
  CLI::App* environment = command("environment", "versions, launcher, ranks, hosts, devices and threads");
  CLI::App* allreduce = command("allreduce", "checked all-reduce: latency and bus bandwidth by size");
  CLI::App* plan =
      command("plan", "where the parts of a decoder LLM go: devices, bytes, room for the KV cache");
  PlanOptions plan_options;
  add_plan_options(*plan, plan_options);
  for (CLI::App* sub : {environment, allreduce})
    sub->add_option("--device", device, "auto, cpu, cuda or cuda:N");
  allreduce->add_option("--bytes", bytes, "largest message, such as 64MiB")->capture_default_str();
  std::unique_ptr<Communicator> communicator;
  const auto body = [&]() -> int {
    const auto show = [&](const nlohmann::json& document, std::string (*text)(const nlohmann::json&)) {
      if (document.is_null()) return;
      fmt::print("{}", json ? document.dump() + "\n" : text(document));
    };
    if (*devices) {
      show(describe_devices(), &devices_text);
      return 0;
    }
    if (*plan) {
      const LlmPlan made = make_plan(plan_options);
      fmt::print("{}", json ? to_json(made).dump() + "\n" : to_text(made));
      return 0;
    }
    const CommunicatorOptions options;
    communicator = make_communicator(options);
    start_log(communicator->rank(), communicator->size());
    const at::Device chosen = choose_device(*communicator, device);
    set_threads(*communicator);
    if (*environment) {
      nlohmann::json document = describe_environment(*communicator, chosen);
      const std::string finding = launch_finding();
      if (!document.is_null() && communicator->size() == 1 && !finding.empty())
        document["findings"].push_back(finding);
      show(document, &environment_text);
    }
    if (*allreduce) {
      const std::int64_t largest = parse_bytes(bytes);
      communicator = communicator_for(std::move(communicator), chosen, options);
      show(measure_allreduce(*communicator, chosen, largest), &allreduce_text);
    }
    return 0;
  };
  return run_tool(app, argc, argv, body, [&](const std::string&, int code) {
    if (communicator && communicator->size() > 1) communicator->abort(code);
  });
}
