#include "base/torch_headers.h"
#include "dist/ranks/doctor.h"

namespace relmpi {
namespace {

constexpr double kGiB = 1 << 30;

std::string size_text(double bytes) {
  if (bytes < 1024) return fmt::format("{:.0f} B", bytes);
  if (bytes < 1 << 20) return fmt::format("{:.0f} KiB", bytes / 1024);
  return fmt::format("{:.0f} MiB", bytes / (1 << 20));
}

std::string time_text(double microseconds) {
  return microseconds < 1000 ? fmt::format("{:.1f} us", microseconds)
                             : fmt::format("{:.2f} ms", microseconds / 1000);
}

}  // namespace

std::string environment_text(const nlohmann::json& e) {
  std::string out;
  for (const auto& [name, version] : e["versions"].items())
    out += fmt::format("{:<14} {}\n", name, version.is_string() ? version.get<std::string>() : "none");
  out += fmt::format("{:<14} {}\n{:<14} {}\n\n{:>5}  {:<20} {:<8} {:>7} {:>7}  {}\n", "launcher",
                     e["launcher"].get<std::string>(), "backend", e["backend"].get<std::string>(), "rank",
                     "host", "device", "threads", "cores", "process");
  for (const auto& rank : e["ranks"])
    out += fmt::format("{:>5}  {:<20} {:<8} {:>7} {:>7}  {}\n", rank["rank"].get<int>(),
                       rank["host"].get<std::string>(), rank["device"].get<std::string>(),
                       rank["threads"].get<int>(), rank["cores"].get<int>(), rank["pid"].get<int>());
  if (!e["devices"].empty()) out += fmt::format("\n{}", devices_text(e["devices"]));
  out += "\n";
  for (const auto& finding : e["findings"]) out += fmt::format("! {}\n", finding.get<std::string>());
  if (e["findings"].empty()) out += "nothing found that would hurt\n";
  return out;
}

std::string devices_text(const nlohmann::json& devices) {
  if (devices.empty()) return "no GPU is visible to this process\n";
  std::string out;
  for (const auto& d : devices)
    out += fmt::format("cuda:{}  {}  {:.1f} of {:.1f} GiB free  {}\n", d["id"].get<int>(),
                       d["name"].get<std::string>(), d["memory_free"].get<double>() / kGiB,
                       d["memory_total"].get<double>() / kGiB, d["uuid"].get<std::string>());
  return out;
}

std::string allreduce_text(const nlohmann::json& r) {
  std::string out = fmt::format(
      "all-reduce over {} ranks, {} on {}; every sum was right\n{:>9} {:>12} {:>15}\n", r["size"].get<int>(),
      r["backend"].get<std::string>(), r["device"].get<std::string>(), "size", "time", "bus bandwidth");
  for (const auto& s : r["sizes"])
    out += fmt::format("{:>9} {:>12} {:>10.3f} GB/s\n", size_text(s["bytes"].get<double>()),
                       time_text(s["latency_us"].get<double>()), s["bus_bandwidth_gb_s"].get<double>());
  if (r["size"].get<int>() == 1)
    return out + "one rank: start it under mpirun -np N to measure an interconnect\n";
  const double microseconds = r["sizes"].back()["latency_us"], bytes = r["sizes"].back()["bytes"];
  return out + fmt::format(
                   "at the last rate the 16-bit gradients of BERT-base (205 MB) take {} a step, of which the "
                   "backward "
                   "pass hides what it can;\nrelmpi-train says after its first steps what is left of it\n",
                   time_text(microseconds * 205e6 / bytes));
}

}  // namespace relmpi
