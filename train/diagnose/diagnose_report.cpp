#include <algorithm>
#include <map>

#include "base/torch_headers.h"
#include "eval/decisions/statistics.h"
#include "train/diagnose/diagnose.h"

namespace relmpi {
namespace {

using nlohmann::ordered_json;

// Above these shares of a step, waiting is what to mend first.
constexpr double kMuchWaiting = 0.10;
// Heads and losses that cost this share of the step are worth a sentence.
constexpr double kMuchHeads = 0.30;
// Below this share of the device's own matrix products the device is not kept busy.
constexpr double kLowUse = 0.40;

ordered_json stage_json(const StageResult& stage, std::map<std::string, double>& peaks, at::Device device) {
  double total_ms = 0;
  for (const double ms : stage.ms) total_ms += ms;
  std::vector<double> sorted = stage.ms;
  std::ranges::sort(sorted);
  const double seconds = total_ms / 1000, steps = static_cast<double>(stage.ms.size());
  ordered_json json{{"name", stage.name},
                    {"steps", stage.ms.size()},
                    {"ms",
                     {{"median", quantile_of_sorted(sorted, 0.5)},
                      {"p10", quantile_of_sorted(sorted, 0.1)},
                      {"p90", quantile_of_sorted(sorted, 0.9)},
                      {"total", total_ms}}},
                    {"cpu_ms", stage.cpu_ms / steps},
                    {"samples_per_s", static_cast<double>(stage.sentences) / seconds},
                    {"tokens_per_s", static_cast<double>(stage.tokens) / seconds},
                    {"data_wait_ms", stage.data_wait_ms / steps},
                    {"comm_wait_ms", stage.comm_wait_ms / steps},
                    {"bytes_reduced", static_cast<double>(stage.bytes_reduced) / steps},
                    {"peak_memory", stage.peak_memory}};
  if (stage.flops > 0) {
    if (!peaks.contains(stage.precision)) peaks[stage.precision] = matmul_peak(device, stage.precision);
    json["precision"] = stage.precision;
    json["flops_per_s"] = stage.flops / seconds;
    json["matmul_share"] = stage.flops / seconds / peaks[stage.precision];
  }
  if (stage.joules) {
    json["watts"] = *stage.joules / seconds;
    json["joules_per_sample"] = *stage.joules / static_cast<double>(stage.sentences);
  }
  return json;
}

// One plain sentence: what takes the time, and what to try.
std::string finding(const std::map<std::string, ordered_json>& stages) {
  const auto step = stages.find("dgca-step");
  if (step == stages.end()) return "Run the stage dgca-step to learn what a training step waits for.";
  // Means per step: waiting is a mean too.
  const auto mean = [](const ordered_json& stage) {
    return stage["ms"]["total"].get<double>() / stage["steps"].get<double>();
  };
  const double whole = mean(step->second);
  const double data = step->second["data_wait_ms"].get<double>() / whole;
  const double ranks = step->second["comm_wait_ms"].get<double>() / whole;
  if (data > kMuchWaiting && data >= ranks)
    return fmt::format(
        "Waiting for data takes {:.0f} % of a step: raise --prefetch, keep the shards in memory with "
        "--preload, or "
        "put them on a faster disk.",
        100 * data);
  if (ranks > kMuchWaiting)
    return fmt::format(
        "Waiting for the other ranks takes {:.0f} % of a step: send less (--precision bf16 or fp16), do more "
        "between "
        "updates (a larger --global-batch), and look at the interconnect with relmpi-doctor allreduce.",
        100 * ranks);
  const auto encoder = stages.find("encoder-training");
  if (encoder != stages.end() && 1 - mean(encoder->second) / whole > kMuchHeads)
    return fmt::format(
        "Heads and losses take {:.0f} % of a step, more than usual beside this encoder: a smaller "
        "vocabulary, a lower "
        "--mft-rate or --output candidates makes them cheaper.",
        100 * (1 - mean(encoder->second) / whole));
  const double share = step->second["matmul_share"].get<double>();
  if (share < kLowUse)
    return fmt::format(
        "The encoder takes the time, but reaches only {:.0f} % of what this device's matrix products can do: "
        "its "
        "batches are small, so raise --micro-batch (and --global-batch) until the memory is used.",
        100 * share);
  const bool fp32 = step->second["precision"] == "fp32";
  return fmt::format(
      "The encoder's matrix products take the time, at {:.0f} % of what this device can do: {}use more "
      "ranks, shorter "
      "sentences or a smaller encoder.",
      100 * share, fp32 ? "try --precision bf16 or fp16 first, then " : "");
}

std::string bytes_text(double bytes) {
  return bytes >= 1 << 30 ? fmt::format("{:.2f} GiB", bytes / (1 << 30))
                          : fmt::format("{:.1f} MiB", bytes / (1 << 20));
}

}  // namespace

ordered_json diagnose_report(const std::vector<StageResult>& stages, at::Device device) {
  std::map<std::string, double> peaks;
  std::map<std::string, ordered_json> by_name;
  ordered_json list = ordered_json::array();
  for (const StageResult& stage : stages) {
    list.push_back(stage_json(stage, peaks, device));
    by_name[stage.name] = list.back();
  }
  return {{"device", device.str()},
          {"matmul_peak_flops_per_s", peaks},
          {"stages", std::move(list)},
          {"finding", finding(by_name)}};
}

std::string diagnose_text(const ordered_json& report) {
  std::string text = fmt::format("{:<22} {:>9} {:>9} {:>9} {:>11} {:>10} {:>7} {:>11} {:>9} {:>9} {:>7}\n",
                                 "stage", "ms/step", "p10", "p90", "sentences/s", "tokens/s", "of peak",
                                 "peak memory", "data wait", "rank wait", "watts");
  for (const auto& stage : report["stages"]) {
    const auto number = [&stage](const char* key) { return stage[key].get<double>(); };
    const auto& ms = stage["ms"];
    text += fmt::format(
        "{:<22} {:>9.2f} {:>9.2f} {:>9.2f} {:>11.1f} {:>10.0f} {:>7} {:>11} {:>9.2f} {:>9.2f} {:>7}\n",
        stage["name"].get<std::string>(), ms["median"].get<double>(), ms["p10"].get<double>(),
        ms["p90"].get<double>(), number("samples_per_s"), number("tokens_per_s"),
        stage.contains("matmul_share") ? fmt::format("{:.1f} %", 100 * number("matmul_share")) : "-",
        bytes_text(number("peak_memory")), number("data_wait_ms"), number("comm_wait_ms"),
        stage.contains("watts") ? fmt::format("{:.0f}", number("watts")) : "-");
  }
  for (const auto& [precision, peak] : report["matmul_peak_flops_per_s"].items())
    text += fmt::format("{} matrix products reach {:.0f} GFLOP/s on {}.\n", precision,
                        peak.get<double>() / 1e9, report["device"].get<std::string>());
  return text + report["finding"].get<std::string>() + "\n";
}

}  // namespace relmpi
