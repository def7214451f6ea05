#include "eval/llm_session.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <set>

#include "base/hash.h"
#include "base/torch_headers.h"
#include "dist/agreement.h"
#include "dist/device.h"
#include "model/llm/memory_need.h"

namespace relmpi {
namespace {

const std::set<std::string> kMayDiffer{"device", "threads", "model", "prompts", "items"};

const char* name_of(at::ScalarType dtype) {
  return dtype == at::kFloat ? "fp32" : dtype == at::kBFloat16 ? "bf16" : "fp16";
}

// Several ranks: the model is whole on each, on a device of its own.
PlacementOptions placement_of_rank(const PlacementOptions& asked, Communicator& communicator) {
  if (communicator.size() == 1) return asked;
  if (!asked.device_map.empty() || asked.device_id)
    throw InputError(
        "--device-map and --device-id are for one process; with {} ranks each holds the whole model on a "
        "device of its own (--device)",
        communicator.size());
  const at::Device device = choose_device(communicator, asked.device.empty() ? "auto" : asked.device);
  return {.device_map = device.is_cuda() ? fmt::format("cuda:{}", static_cast<int>(device.index())) : "cpu",
          .device_id = std::nullopt,
          .device = ""};
}

using Longest = std::function<std::int64_t(const BpeTokenizer&)>;

Llm open(const LlmSessionOptions& options, Communicator& communicator, const Longest& longest) {
  LlmOptions llm = options.llm;
  llm.folder = options.model;
  if (!std::filesystem::is_directory(llm.folder))
    throw InputError("--model {}: no such folder; a Hugging Face model folder was expected", options.model);
  llm.placement = placement_of_rank(llm.placement, communicator);
  llm.at_hand = limits_at_hand(describe_devices());
  return open_llm(llm, longest);
}

// The communicator of this process, with its log and threads.
Communicator& start(const LlmSessionOptions& options, std::unique_ptr<Communicator>& communicator) {
  communicator = make_communicator({.timeout_seconds = options.timeout});
  start_log(communicator->rank(), communicator->size());
  nlohmann::json alike = program_facts();
  alike.update(option_facts(options.command->config_to_str(true, false), kMayDiffer));
  const auto config = std::filesystem::path(options.model) / "config.json";
  alike["config.json"] = std::filesystem::exists(config) ? xxh3_128_of_file(config) : "";
  demand_agreement(*communicator, alike);
  set_threads(*communicator, options.threads);
  return *communicator;
}

}  // namespace

void LlmSessionOptions::add_to(CLI::App& to) {
  command = &to;
  to.add_option("--model", model, "Hugging Face folder of a Llama, Qwen2, Qwen2.5 or Qwen3")->required();
  to.add_option("--dtype", llm.dtype, "fp32, bf16 or fp16; default: as the weights are stored");
  to.add_option(
      "--device-map", llm.placement.device_map,
      "auto, balanced, balanced_low_0, sequential, cuda:N, cpu, GPUs such as 0,1, or FILE.json; see "
      "relmpi-doctor plan");
  to.add_option("--device-id", llm.placement.device_id, "one GPU; --device-map goes before");
  to.add_option("--device", llm.placement.device, "auto, cpu, cuda or cuda:N; --device-id goes before");
  to.add_option("--max-memory", llm.max_memory,
                "bytes that weights and cache may take, such as 0=24GiB,cpu=64GiB; default: what is free");
  to.add_flag("--rehearse", llm.rehearse,
              "the GPUs of --max-memory and --device-map are this machine's CPU: tries a map without them");
  to.add_option("--threads", threads, "CPU threads of a rank; 0 = its share of the cores")
      ->capture_default_str();
  to.add_option("--collective-timeout", timeout, "seconds before a collective that hangs ends the job")
      ->capture_default_str();
}

LlmSession::LlmSession(const LlmSessionOptions& options, std::unique_ptr<Communicator>& communicator,
                       const Longest& longest)
    : llm(open(options, start(options, communicator), longest)) {
  spdlog::info("{} in {}: {:.0f} MB of weights", options.model, name_of(llm.decoder.dtype()),
               static_cast<double>(llm.decoder.weights().bytes()) / 1e6);
  if (llm.decoder.places().devices.size() > 1)
    for (const auto& [place, layers] : layers_by_place(llm.decoder.config(), llm.map))
      spdlog::info("{} layers on {}{}{}", layers, place.is_gpu() ? "cuda:" : "", to_string(place),
                   options.llm.rehearse && place.is_gpu() ? ", rehearsed on the CPU" : "");
}

nlohmann::ordered_json LlmSession::header(const LlmSessionOptions& options,
                                          const Communicator& communicator) const {
  nlohmann::ordered_json map;
  for (const auto& [prefix, place] : llm.map.entries) map[prefix] = to_string(place);
  return {{"model", options.model},
          {"model_type", llm.decoder.config().model_type},
          {"dtype", name_of(llm.decoder.dtype())},
          {"device_map", map},
          {"rehearsed", options.llm.rehearse},
          {"weight_bytes", llm.decoder.weights().bytes()},
          {"ranks", communicator.size()},
          {"threads", at::get_num_threads()}};
}

nlohmann::ordered_json gather_rows(Communicator& communicator, const nlohmann::ordered_json& mine) {
  std::vector<nlohmann::ordered_json> rows;
  for (const std::string& part : communicator.gather_bytes(mine.dump()))
    for (auto& row : nlohmann::ordered_json::parse(part)) rows.push_back(std::move(row));
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return a["index"].template get<std::int64_t>() < b["index"].template get<std::int64_t>();
  });
  return rows;
}

}  // namespace relmpi
