#include "dist/commands/tables.h"

#include <fmt/format.h>

#include "base/units.h"

namespace relmpi {
namespace {

constexpr double kGiB = 1 << 30;

std::string time_text(double seconds) {
  return seconds < 1e-3 ? fmt::format("{:.1f} us", 1e6 * seconds) : fmt::format("{:.2f} ms", 1e3 * seconds);
}

}  // namespace

std::string to_text(const JobEnvironment& e) {
  std::string out;
  for (const auto& [name, version] : e.versions)
    out += fmt::format("{:<14} {}\n", name, version.value_or("none"));
  out += fmt::format("{:<14} {}\n{:<14} {}\n\n{:>5}  {:<20} {:<8} {:>7} {:>7}  {}\n", "launcher", e.launcher,
                     "backend", e.backend, "rank", "host", "device", "threads", "cores", "process");
  for (const RankFacts& rank : e.ranks)
    out += fmt::format("{:>5}  {:<20} {:<8} {:>7} {:>7}  {}\n", rank.rank, rank.host, rank.device,
                       rank.threads, rank.cores, rank.pid);
  if (!e.gpus.empty()) out += fmt::format("\n{}", to_text(e.gpus));
  out += "\n";
  for (const std::string& finding : e.findings) out += fmt::format("! {}\n", finding);
  if (e.findings.empty()) out += "nothing found that would hurt\n";
  return out;
}

std::string to_text(std::span<const Gpu> gpus) {
  if (gpus.empty()) return "no GPU is visible to this process\n";
  std::string out;
  for (const Gpu& gpu : gpus)
    out += fmt::format("cuda:{}  {}  {:.1f} of {:.1f} GiB free  {}\n", gpu.id, gpu.name,
                       static_cast<double>(gpu.memory_free) / kGiB,
                       static_cast<double>(gpu.memory_total) / kGiB, gpu.uuid);
  return out;
}

std::string to_text(const AllreduceSpeed& speed) {
  std::string out =
      fmt::format("all-reduce over {} ranks, {} on {}; every sum was right\n{:>9} {:>12} {:>15}\n",
                  speed.ranks, speed.backend, speed.device, "size", "time", "bus bandwidth");
  for (const auto& size : speed.sizes)
    out += fmt::format("{:>9} {:>12} {:>10.3f} GB/s\n", bytes_text(static_cast<double>(size.bytes)),
                       time_text(size.seconds), size.bus_bandwidth / 1e9);
  if (speed.ranks == 1) return out + "one rank: start it under mpirun -np N to measure an interconnect\n";
  const auto& last = speed.sizes.back();
  return out +
         fmt::format(
             "at the last rate the 16-bit gradients of BERT-base (205 MB) take {} a step, of which the "
             "backward pass hides what it can;\nrelmpi-train says after its first steps what is left of it\n",
             time_text(last.seconds * 205e6 / static_cast<double>(last.bytes)));
}

}  // namespace relmpi
