#include "dist/commands/plan.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "dist/devices/gpus.h"

namespace relmpi {
namespace {

constexpr std::int64_t kUsualLength = 4096;

// The options' length, or the usual one.
std::int64_t length_of(const PlanOptions& options, const LlmConfig& config) {
  const std::int64_t context = config.max_position_embeddings;
  if (options.length && *options.length > context)
    throw InputError("--length {} is more than the model's context of {} tokens (max_position_embeddings)",
                     *options.length, context);
  return options.length.value_or(std::min(kUsualLength, context));
}

}  // namespace

void add_plan_options(CLI::App& command, PlanOptions& options) {
  command
      .add_option("--model-config", options.model_config,
                  "config.json of a Llama, Qwen2 or Qwen3, or its folder")
      ->required();
  command.add_option("--dtype", options.where.dtype,
                     "weights as loaded: bf16, fp16 or fp32; default: the model's own");
  command.add_option(
      "--device-map", options.where.placement.device_map,
      "auto (even shares, as balanced), balanced_low_0 (GPU 0 takes what is left over), sequential (fill "
      "one GPU after the other), cuda:N, cpu, GPUs to share such as 0,1, or FILE.json: prefix -> GPU, "
      "\"cpu\" or \"disk\"");
  command.add_option("--device-id", options.where.placement.device_id, "one GPU; --device-map goes before");
  command.add_option("--device", options.where.placement.device,
                     "auto, cpu, cuda or cuda:N; --device-id goes before");
  command.add_option(
      "--max-memory", options.where.max_memory,
      "bytes that weights may take, such as 0=24GiB,1=24GiB,cpu=64GiB; default: what is free here. GB "
      "is 10^9 bytes, GiB 2^30");
  command
      .add_option(
          "--reserve", options.where.reserve,
          "memory kept free on each GPU for the KV cache and activations: a size, or auto (estimated)")
      ->capture_default_str();
  command.add_option("--batch", options.batch, "texts at once, for the estimate")->capture_default_str();
  command.add_option("--length", options.length,
                     "tokens of a text, prompt and answer; default: the model's context, at most 4096");
  command.footer(
      "The maps are those of Hugging Face Accelerate 1.15; no GPU is needed where --max-memory names them.\n"
      "relmpi-eval plans with --reserve auto for its own batch and lengths; ask so to see what it will do.\n"
      "  relmpi-doctor plan --model-config Qwen3-8B --max-memory 0=24GiB,1=24GiB,cpu=64GiB\n"
      "      Does it fit on two cards, and which layers go where?\n"
      "  relmpi-doctor plan --model-config Qwen3-8B --batch 8 --length 4096 --reserve auto\n"
      "      On the GPUs of this machine, with room for eight texts of 4096 tokens.\n"
      "  relmpi-doctor plan --model-config Qwen3-8B --device-map balanced_low_0\n"
      "      Leaves GPU 0 as free as can be, for a draft model beside it.\n"
      "  relmpi-doctor plan --model-config Qwen3-8B --device-map my_map.json --json\n"
      "      Checks a map of your own: each layer has a place, and it is there.");
}

LlmPlan make_plan(const PlanOptions& options) {
  std::filesystem::path file(options.model_config);
  if (std::filesystem::is_directory(file)) file /= "config.json";
  const LlmConfig config = load_llm_config(file);
  const MemoryLimits free =
      options.where.max_memory.empty() ? limits_at_hand(describe_devices()) : MemoryLimits{};
  return plan_llm(config, options.where, {options.batch, length_of(options, config)}, free);
}

}  // namespace relmpi
