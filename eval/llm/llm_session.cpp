#include "eval/llm/llm_session.h"

#include <filesystem>
#include <optional>

#include "base/hash.h"
#include "base/torch_headers.h"
#include "dist/devices/gpus.h"
#include "dist/ranks/agreement.h"
#include "dist/ranks/rank_device.h"

namespace relmpi {
namespace {

// Several ranks: the model is whole on each, on a device of its own.
PlacementOptions placement_of_rank(const PlacementOptions& asked, Communicator& communicator) {
  if (communicator.size() == 1) return asked;
  if (!asked.device_map.empty() || asked.device_id)
    throw InputError(
        "--device-map and --device-id are for one process; with {} ranks each holds the whole model on a "
        "device of its own (--device)",
        communicator.size());
  const at::Device device = choose_device(communicator, asked.device.empty() ? "auto" : asked.device);
  return {.device_map = device_name(device.is_cuda() ? Place::gpu(device.index()) : Place::cpu()),
          .device_id = std::nullopt,
          .device = ""};
}

// What this rank may take: its share of the host, and of several ranks each its own GPU: asking another one
// would take memory of it.
MemoryLimits memory_at_hand(const PlacementOptions& placement, const Communicator& communicator) {
  std::optional<int> only;
  const PlacementChoice choice = choose_placement(placement);
  if (const auto* place = std::get_if<Place>(&choice.what); place != nullptr && communicator.size() > 1)
    only = place->is_gpu() ? place->number : -1;
  MemoryLimits limits = limits_at_hand(gpus(only));
  if (const auto host = limits.find(Place::cpu()); host != limits.end())
    host->second /= communicator.node_size();
  return limits;
}

using WorkloadOf = std::function<Workload(const LlmFolder&)>;

Llm open(const LlmSessionOptions& options, Communicator& communicator, const WorkloadOf& workload) {
  LlmFolder folder = open_llm_folder(options.model);
  const Workload work = workload(folder);
  LlmPlacement where = options.where;
  where.placement.device = options.job.device;
  where.placement = placement_of_rank(where.placement, communicator);
  LlmPlan plan = plan_llm(folder.config, where, work, memory_at_hand(where.placement, communicator));
  return load_llm(std::move(folder), std::move(plan));
}

// The ranks alone: placement_of_rank sees to the devices.
Job start(const LlmSessionOptions& options, Invocation& invocation, const std::string& file,
          const std::string& input) {
  if (!std::filesystem::is_directory(options.model))
    throw InputError("--model {}: no such folder; a Hugging Face model folder was expected", options.model);
  JobOptions ranks_alone = options.job;
  ranks_alone.device.clear();
  Job job(ranks_alone, invocation, {"model", file});
  const auto config = std::filesystem::path(options.model) / "config.json";
  demand_agreement(job.ranks(),
                   {{"config.json", std::filesystem::is_regular_file(config) ? xxh3_128_of_file(config) : ""},
                    {"the prompts or items", xxh3_128(input)}});
  return job;
}

}  // namespace

void LlmSessionOptions::add_to(CLI::App& to) {
  to.add_option("--model", model, "Hugging Face folder of a Llama, Qwen2, Qwen2.5 or Qwen3")->required();
  to.add_option("--dtype", where.dtype, "fp32, bf16 or fp16; default: as the weights are stored");
  to.add_option(
      "--device-map", where.placement.device_map,
      "auto, balanced, balanced_low_0, sequential, cuda:N, cpu, GPUs such as 0,1, or FILE.json; see "
      "relmpi-doctor plan");
  to.add_option("--device-id", where.placement.device_id, "one GPU; --device-map takes precedence");
  to.add_option("--max-memory", where.max_memory,
                "bytes that weights and cache may take, such as 0=24GiB,cpu=64GiB; default: what is free");
  to.add_option("--reserve", where.reserve,
                "memory kept free on each GPU for cache and activations: a size, or auto (estimated)")
      ->capture_default_str();
  to.add_flag("--rehearse", where.rehearse,
              "the GPUs of --max-memory and --device-map are this machine's CPU: tries a map without them");
  add_job_options(to, job);
  to.get_option("--device")->description("auto, cpu, cuda or cuda:N; --device-id takes precedence");
}

LlmSession::LlmSession(const LlmSessionOptions& options, Invocation& invocation, const std::string& file,
                       const std::string& input, const WorkloadOf& workload)
    : job(start(options, invocation, file, input)), llm(open(options, job.ranks(), workload)) {
  const auto mb = [](std::int64_t bytes) { return static_cast<double>(bytes) / 1e6; };
  spdlog::info(
      "{} in {}: {:.0f} MB of weights; estimated: {:.0f} MB of keys and values, {:.0f} MB of activations",
      options.model, dtype_name(llm.plan.dtype), mb(llm.decoder.weights().bytes()),
      mb(llm.plan.need.kv_cache_per_layer * llm.folder.config.num_hidden_layers),
      mb(llm.plan.need.activations));
  if (llm.decoder.places().devices.size() > 1)
    for (const auto& [place, layers] : layers_by_place(llm.folder.config, llm.plan.map))
      spdlog::info("{} layers on {}{}", layers, device_name(place),
                   options.where.rehearse && place.is_gpu() ? ", rehearsed on the CPU" : "");
}

nlohmann::ordered_json LlmSession::header(const LlmSessionOptions& options) const {
  nlohmann::ordered_json map;
  for (const auto& [prefix, place] : llm.plan.map.entries) map[prefix] = to_string(place);
  return {{"model", options.model},
          {"model_type", llm.folder.config.model_type},
          {"dtype", dtype_name(llm.plan.dtype)},
          {"device_map", map},
          {"rehearsed", options.where.rehearse},
          {"weight_bytes", llm.decoder.weights().bytes()},
          {"ranks", job.ranks().size()},
          {"threads", job.threads()}};
}

}  // namespace relmpi
