#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "dist/commands/commands.h"
#include "dist/devices/gpus.h"
#include "model/llm/llm_plan.h"
#include "model/llm/plan_report.h"

namespace relmpi {
namespace {

struct PlanOptions {
  std::string model_config;  // config.json, or the folder that holds it
  LlmPlacement where;
  std::int64_t batch = 1;
  std::optional<std::int64_t> length;  // tokens; default: the model's context, at most 4096
  bool json = false;

  // Weights alone, unless more is asked for; GPUs that are named need not be here.
  PlanOptions() {
    where.reserve = "0";
    where.rehearse = true;
  }
};

constexpr std::int64_t kUsualLength = 4096;

// The options' length, or the usual one.
std::int64_t length_of(const PlanOptions& options, const LlmConfig& config) {
  const std::int64_t context = config.max_position_embeddings;
  if (options.length && *options.length > context)
    throw InputError("--length {} is more than the model's context of {} tokens (max_position_embeddings)",
                     *options.length, context);
  return options.length.value_or(std::min(kUsualLength, context));
}

void add_options(CLI::App& app, PlanOptions& options) {
  app.add_flag("--json", options.json, "print one JSON document");
  app.add_option("--model-config", options.model_config,
                 "config.json of a Llama, Qwen2 or Qwen3, or its folder")
      ->required();
  app.add_option("--dtype", options.where.dtype,
                 "weights as loaded: bf16, fp16 or fp32; default: the model's own");
  app.add_option(
      "--device-map", options.where.placement.device_map,
      "auto (even shares, as balanced), balanced_low_0 (GPU 0 takes what is left over), sequential (fill "
      "one GPU after the other), cuda:N, cpu, GPUs to share such as 0,1, or FILE.json: prefix -> GPU, "
      "\"cpu\" or \"disk\"");
  app.add_option("--device-id", options.where.placement.device_id, "one GPU; --device-map takes precedence");
  app.add_option("--device", options.where.placement.device,
                 "auto, cpu, cuda or cuda:N; --device-id takes precedence");
  app.add_option(
      "--max-memory", options.where.max_memory,
      "bytes that weights may take, such as 0=24GiB,1=24GiB,cpu=64GiB; default: what is free here. GB "
      "is 10^9 bytes, GiB 2^30");
  app.add_option("--reserve", options.where.reserve,
                 "memory kept free on each GPU for the KV cache and activations: a size, or auto (estimated)")
      ->capture_default_str();
  app.add_option("--batch", options.batch, "texts at once, for the estimate")->capture_default_str();
  app.add_option("--length", options.length,
                 "tokens of a text, prompt and answer; default: the model's context, at most 4096");
  app.footer(
      "The maps are those of Hugging Face Accelerate 1.15; no GPU is needed if --max-memory names them.\n"
      "relmpi-eval plans with --reserve auto for its own batch and lengths; give the same here to see its "
      "plan.\n"
      "  relmpi-doctor plan --model-config Qwen3-8B --max-memory 0=24GiB,1=24GiB,cpu=64GiB\n"
      "      Does it fit on two cards, and which layers go where?\n"
      "  relmpi-doctor plan --model-config Qwen3-8B --batch 8 --length 4096 --reserve auto\n"
      "      On the GPUs of this machine, with room for eight texts of 4096 tokens.\n"
      "  relmpi-doctor plan --model-config Qwen3-8B --device-map balanced_low_0\n"
      "      Leaves GPU 0 as free as can be, for a draft model beside it.\n"
      "  relmpi-doctor plan --model-config Qwen3-8B --device-map my_map.json --json\n"
      "      Checks a map of your own: each layer has a device, and the device exists.");
}

LlmPlan make_plan(const PlanOptions& options) {
  std::filesystem::path file(options.model_config);
  if (std::filesystem::is_directory(file)) file /= "config.json";
  const LlmConfig config = load_llm_config(file);
  const MemoryLimits free = options.where.max_memory.empty() ? limits_at_hand(gpus()) : MemoryLimits{};
  return plan_llm(config, options.where, {options.batch, length_of(options, config)}, free);
}

int run(const PlanOptions& options, Invocation&) {
  const LlmPlan plan = make_plan(options);
  if (options.json)
    print_json(to_json(plan));
  else
    fmt::print("{}", to_text(plan));
  return 0;
}

}  // namespace

void add_plan(Tool& tool) {
  tool.add<PlanOptions>({.name = "plan",
                         .help = "where the parts of a decoder LLM go: devices, bytes, room for the KV cache",
                         .options = &add_options,
                         .run = &run});
}

}  // namespace relmpi
