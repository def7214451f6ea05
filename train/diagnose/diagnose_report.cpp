#include "train/diagnose/diagnose_report.h"

#include <algorithm>

#include "base/torch_headers.h"
#include "base/units.h"

namespace relmpi {
namespace {

using nlohmann::ordered_json;

// Above these shares of a step, waiting is what to cure first.
constexpr double kMuchWaiting = 0.10;
// Heads and losses that cost this share of the step are worth a sentence.
constexpr double kMuchHeads = 0.30;
// Below this share of the device's own matrix products the device is not kept busy.
constexpr double kLowUse = 0.40;

const StageResult* find(const std::vector<StageResult>& stages, const char* name) {
  const auto found = std::ranges::find(stages, name, &StageResult::name);
  return found == stages.end() ? nullptr : &*found;
}

}  // namespace

double DiagnoseReport::matmul_share(const StageResult& stage) const {
  return stage.per_second(stage.flops) / matmul_peaks.at(stage.precision);
}

std::string DiagnoseReport::finding() const {
  const StageResult* step = find(stages, "dgca-step");
  if (!step) return "Run the stage dgca-step to learn what a training step waits for.";
  // Means per step: waiting is a mean too.
  const double whole = step->per_step(step->total_ms());
  const double data = step->per_step(step->data_wait_ms) / whole;
  const double ranks = step->per_step(step->comm_wait_ms) / whole;
  if (data > kMuchWaiting && data >= ranks)
    return fmt::format(
        "Waiting for data takes {:.0f} % of a step: raise --prefetch, keep the shards in memory with "
        "--preload, or put them on a faster disk.",
        100 * data);
  if (ranks > kMuchWaiting)
    return fmt::format(
        "Waiting for the other ranks takes {:.0f} % of a step: send less (--precision bf16 or fp16), do more "
        "between updates (a larger --global-batch), and look at the interconnect with relmpi-doctor "
        "allreduce.",
        100 * ranks);
  if (const StageResult* encoder = find(stages, "encoder-training")) {
    const double heads = 1 - encoder->per_step(encoder->total_ms()) / whole;
    if (heads > kMuchHeads)
      return fmt::format(
          "Heads and losses take {:.0f} % of a step, more than usual beside this encoder: a smaller "
          "vocabulary, a lower --mft-rate or --output candidates makes them cheaper.",
          100 * heads);
  }
  const double share = matmul_share(*step);
  if (share < kLowUse)
    return fmt::format(
        "The encoder takes the time, but reaches only {:.0f} % of what this device's matrix products can do: "
        "its batches are small, so raise --micro-batch (and --global-batch) until the memory is used.",
        100 * share);
  return fmt::format(
      "The encoder's matrix products take the time, at {:.0f} % of what this device can do: {}use more "
      "ranks, shorter sentences or a smaller encoder.",
      100 * share, step->precision == "fp32" ? "try --precision bf16 or fp16 first, then " : "");
}

ordered_json DiagnoseReport::to_json() const {
  ordered_json list = ordered_json::array();
  for (const StageResult& stage : stages) {
    list.push_back({{"name", stage.name},
                    {"steps", stage.ms.size()},
                    {"ms",
                     {{"median", stage.quantile_ms(0.5)},
                      {"p10", stage.quantile_ms(0.1)},
                      {"p90", stage.quantile_ms(0.9)},
                      {"total", stage.total_ms()}}},
                    {"cpu_ms", stage.per_step(stage.cpu_ms)},
                    {"samples_per_s", stage.per_second(static_cast<double>(stage.sentences))},
                    {"tokens_per_s", stage.per_second(static_cast<double>(stage.tokens))},
                    {"data_wait_ms", stage.per_step(stage.data_wait_ms)},
                    {"comm_wait_ms", stage.per_step(stage.comm_wait_ms)},
                    {"bytes_reduced", stage.per_step(static_cast<double>(stage.bytes_reduced))},
                    {"peak_memory", stage.peak_memory}});
    ordered_json& json = list.back();
    if (stage.flops > 0) {
      json["precision"] = stage.precision;
      json["flops_per_s"] = stage.per_second(stage.flops);
      json["matmul_share"] = matmul_share(stage);
    }
    if (stage.max_memory_allocated) json["max_memory_allocated"] = *stage.max_memory_allocated;
    if (stage.joules) {
      json["watts"] = stage.per_second(*stage.joules);
      json["joules_per_sample"] = *stage.joules / static_cast<double>(stage.sentences);
    }
  }
  return {{"device", device},
          {"matmul_peak_flops_per_s", matmul_peaks},
          {"stages", std::move(list)},
          {"finding", finding()}};
}

std::string DiagnoseReport::to_text() const {
  std::string text = fmt::format("{:<22} {:>9} {:>9} {:>9} {:>11} {:>10} {:>7} {:>11} {:>9} {:>9} {:>7}\n",
                                 "stage", "ms/step", "p10", "p90", "sentences/s", "tokens/s", "of peak",
                                 "peak memory", "data wait", "rank wait", "watts");
  for (const StageResult& stage : stages)
    text += fmt::format(
        "{:<22} {:>9.2f} {:>9.2f} {:>9.2f} {:>11.1f} {:>10.0f} {:>7} {:>11} {:>9.2f} {:>9.2f} {:>7}\n",
        stage.name, stage.quantile_ms(0.5), stage.quantile_ms(0.1), stage.quantile_ms(0.9),
        stage.per_second(static_cast<double>(stage.sentences)),
        stage.per_second(static_cast<double>(stage.tokens)),
        stage.flops > 0 ? fmt::format("{:.1f} %", 100 * matmul_share(stage)) : "-",
        bytes_text(static_cast<double>(stage.peak_memory)), stage.per_step(stage.data_wait_ms),
        stage.per_step(stage.comm_wait_ms),
        stage.joules ? fmt::format("{:.0f}", stage.per_second(*stage.joules)) : "-");
  for (const auto& [precision, peak] : matmul_peaks)
    text += fmt::format("{} matrix products reach {:.0f} GFLOP/s on {}.\n", precision, peak / 1e9, device);
  return text + finding() + "\n";
}

DiagnoseReport diagnose_report(std::vector<StageResult> stages, at::Device device) {
  DiagnoseReport report{.device = device.str(), .stages = std::move(stages)};
  for (const StageResult& stage : report.stages)
    if (stage.flops > 0 && !report.matmul_peaks.contains(stage.precision))
      report.matmul_peaks[stage.precision] = matmul_peak(device, stage.precision);
  return report;
}

}  // namespace relmpi
