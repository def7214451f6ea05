// relmpi-doctor: what this machine, its devices and its ranks can do.

#include <cstdio>
#include <optional>

#include "base/tool.h"
#include "base/torch_headers.h"
#include "dist/device.h"
#include "dist/doctor.h"

namespace relmpi {
namespace {

void print_environment(const nlohmann::json& e) {
  for (const auto& [name, version] : e["versions"].items())
    fmt::print("{:<14} {}\n", name, version.is_string() ? version.get<std::string>() : "none");
  fmt::print("{:<14} {}\n{:<14} {}\n\n{:>5}  {:<20} {:<8} {:>7}\n", "launcher",
             e["launcher"].get<std::string>(), "backend", e["backend"].get<std::string>(), "rank", "host",
             "device", "threads");
  for (const auto& rank : e["ranks"])
    fmt::print("{:>5}  {:<20} {:<8} {:>7}\n", rank["rank"].get<int>(), rank["host"].get<std::string>(),
               rank["device"].get<std::string>(), rank["threads"].get<int>());
}

void print_devices(const nlohmann::json& devices) {
  if (devices.empty()) fmt::print("no GPU is visible to this process\n");
  for (const auto& d : devices)
    fmt::print("cuda:{}  {}  {:.1f} of {:.1f} GiB free  {}\n", d["id"].get<int>(),
               d["name"].get<std::string>(), d["memory_free"].get<double>() / (1 << 30),
               d["memory_total"].get<double>() / (1 << 30), d["uuid"].get<std::string>());
}

void print_allreduce(const nlohmann::json& r) {
  fmt::print("all-reduce over {} ranks, {} on {}; every sum was right\n{:>14} {:>14} {:>18}\n",
             r["size"].get<int>(), r["backend"].get<std::string>(), r["device"].get<std::string>(), "bytes",
             "latency (us)", "bus bandwidth (GB/s)");
  for (const auto& s : r["sizes"])
    fmt::print("{:>14} {:>14.1f} {:>18.3f}\n", s["bytes"].get<std::int64_t>(), s["latency_us"].get<double>(),
               s["bus_bandwidth_gb_s"].get<double>());
  if (r["size"].get<int>() == 1)
    fmt::print("one rank: start it under mpirun -np N to measure an interconnect\n");
}

}  // namespace
}  // namespace relmpi

int main(int argc, char** argv) {
  using namespace relmpi;
  CLI::App app("What this machine, its devices and its ranks can do. Run it alone or under mpirun.",
               "relmpi-doctor");
  app.require_subcommand(1);
  bool json = false;
  std::string device = "auto", bytes = "64MiB";
  const auto command = [&](const char* name, const char* help) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->add_flag("--json", json, "print one JSON document");
    return sub;
  };
  CLI::App* devices = command("devices", "GPUs that this process sees, and their memory");
  CLI::App* environment = command("environment", "versions, launcher, ranks, hosts, devices and threads");
  CLI::App* allreduce = command("allreduce", "checked all-reduce: latency and bus bandwidth by size");
  for (CLI::App* sub : {environment, allreduce})
    sub->add_option("--device", device, "auto, cpu, cuda or cuda:N");
  allreduce->add_option("--bytes", bytes, "largest message, such as 64MiB")->capture_default_str();
  std::unique_ptr<Communicator> communicator;
  const auto body = [&]() -> int {
    const auto show = [&](const nlohmann::json& document, void (*print)(const nlohmann::json&)) {
      if (document.is_null()) return;
      if (json)
        fmt::print("{}\n", document.dump());
      else
        print(document);
    };
    if (*devices) {
      show(describe_devices(), &print_devices);
      return 0;
    }
    const CommunicatorOptions options;
    communicator = make_communicator(options);
    start_log(communicator->rank(), communicator->size());
    const at::Device chosen = choose_device(*communicator, device);
    set_threads(*communicator);
    if (*environment) show(describe_environment(*communicator, chosen), &print_environment);
    if (*allreduce) {
      const std::int64_t largest = parse_bytes(bytes);
      communicator = communicator_for(std::move(communicator), chosen, options);
      show(measure_allreduce(*communicator, chosen, largest), &print_allreduce);
    }
    return 0;
  };
  return run_tool(app, argc, argv, body, [&](const std::string&, int code) {
    if (communicator && communicator->size() > 1) communicator->abort(code);
  });
}
