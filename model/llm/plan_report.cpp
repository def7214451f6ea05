#include "model/llm/plan_report.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "model/llm/config.h"
#include "model/llm/memory_need.h"
#include "model/llm/modules.h"
#include "model/llm/plan_warnings.h"

namespace relmpi {
namespace {

using nlohmann::ordered_json;

constexpr double kGiB = 1 << 30;
constexpr std::int64_t kUsualLength = 4096;

ordered_json by_place(const std::map<Place, std::int64_t>& values) {
  ordered_json out = ordered_json::object();
  for (const auto& [place, value] : values) out[to_string(place)] = value;
  return out;
}

// "model.layers.3" and "model.layers.4" become "model.layers.3-4"; `root` is what the prefix "" says.
std::vector<std::string> ranges(const std::vector<std::string>& names, const char* root) {
  struct Range {
    std::string stem;
    int first, last;
  };
  std::vector<std::string> out;
  Range open{"", 0, -1};
  const auto close = [&] {
    if (open.last >= open.first)
      out.push_back(open.first == open.last ? fmt::format("{}{}", open.stem, open.first)
                                            : fmt::format("{}{}-{}", open.stem, open.first, open.last));
    open = {"", 0, -1};
  };
  for (const std::string& name : names) {
    const auto digits = name.find_last_not_of("0123456789") + 1;
    if (digits == name.size() || name.size() - digits > 6) {
      close();
      out.push_back(name.empty() ? root : name);
      continue;
    }
    const std::string stem = name.substr(0, digits);
    const int number = std::stoi(name.substr(digits));
    if (stem != open.stem || number != open.last + 1) {
      close();
      open = {stem, number, number};
    }
    open.last = number;
  }
  close();
  return out;
}

// Every place that holds something, in the order of filling.
std::vector<std::string> places_of(const ordered_json& document) {
  std::map<Place, std::string> places;
  for (const char* part : {"per_device_bytes", "kv_cache", "activations"})
    for (const auto& [name, bytes] : document[part].items())
      places.emplace(name == "cpu"    ? Place::cpu()
                     : name == "disk" ? Place::disk()
                                      : Place::gpu(std::stoi(name)),
                     name);
  std::vector<std::string> names;
  names.reserve(places.size());
  for (const auto& [place, name] : places) names.push_back(name);
  return names;
}

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
  command.add_option("--dtype", options.dtype,
                     "weights as loaded: bf16, fp16 or fp32; default: the model's own");
  command.add_option(
      "--device-map", options.placement.device_map,
      "auto (even shares, as balanced), balanced_low_0 (GPU 0 takes what is left over), sequential (fill "
      "one GPU after the other), cuda:N, cpu, GPUs to share such as 0,1, or FILE.json: prefix -> GPU, "
      "\"cpu\" or \"disk\"");
  command.add_option("--device-id", options.placement.device_id, "one GPU; --device-map goes before");
  command.add_option("--device", options.placement.device,
                     "auto, cpu, cuda or cuda:N; --device-id goes before");
  command.add_option(
      "--max-memory", options.max_memory,
      "bytes that weights may take, such as 0=24GiB,1=24GiB,cpu=64GiB; default: what is free here. GB "
      "is 10^9 bytes, GiB 2^30");
  command
      .add_option(
          "--reserve", options.reserve,
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

ordered_json make_plan_document(const PlanOptions& options, nlohmann::json (*devices)()) {
  std::filesystem::path file(options.model_config);
  if (std::filesystem::is_directory(file)) file /= "config.json";
  const LlmConfig config = load_llm_config(file);
  const at::ScalarType dtype = weight_dtype(options.dtype, config);
  const int value_bytes = value_bytes_of(dtype);
  const ModelTree tree = decoder_tree(config, value_bytes);
  const PlacementChoice choice = choose_placement(options.placement);

  const std::int64_t length = length_of(options, config);
  const MemoryNeed need = memory_need(config, value_bytes, options.batch, length);
  const MemoryLimits limits =
      options.max_memory.empty() ? limits_at_hand(devices()) : parse_memory_limits(options.max_memory);
  const auto reserve = reserve_for(options.reserve, tree, config, need, limits);
  MemoryLimits left = without_reserve(limits, reserve);
  if (options.max_memory.empty()) left = with_slack(left, choice);

  const Plan plan = make_plan(tree, left, choice);
  const auto bytes = bytes_by_place(tree, plan.map);
  const BesideWeights beside(config, need, plan.map, bytes);
  ordered_json map = ordered_json::object();
  for (const auto& [prefix, place] : plan.map.entries) {
    if (place.is_gpu())
      map[prefix] = place.number;
    else
      map[prefix] = to_string(place);
  }
  return {{"device_map", map},
          {"max_memory", by_place(plan.limits)},
          {"bytes", model_bytes(tree)},
          {"per_device_bytes", by_place(bytes)},
          {"dtype", dtype_name(dtype)},
          {"limits", by_place(limits)},
          {"reserve", by_place(reserve)},
          {"batch", options.batch},
          {"length", length},
          {"kv_cache", by_place(beside.cache)},
          {"activations", by_place(beside.activations)},
          {"warnings", plan_warnings({tree, choice, limits, reserve, plan, bytes, beside})}};
}

std::string plan_text(const ordered_json& d) {
  const auto column = [](const ordered_json& values, const std::string& place) {
    return values.contains(place) ? fmt::format("{:.2f}", values[place].get<double>() / kGiB)
                                  : std::string("-");
  };
  std::map<std::string, std::vector<std::string>> names;
  for (const auto& [prefix, place] : d["device_map"].items())
    names[place.is_string() ? place.get<std::string>() : place.dump()].push_back(prefix);
  const char* root = d["device_map"].size() == 1 ? "the whole model" : "all the rest";
  std::string out = fmt::format(
      "{:.2f} GiB of weights in {}; cache and activations for {} text(s) of {} tokens; sizes in GiB\n"
      "{:<7} {:>8} {:>8} {:>9} {:>8} {:>9} {:>12}  {}\n",
      d["bytes"].get<double>() / kGiB, d["dtype"].get<std::string>(), d["batch"].get<std::int64_t>(),
      d["length"].get<std::int64_t>(), "device", "weights", "limit", "of limit", "reserve", "KV cache",
      "activations", "modules");
  for (const std::string& place : places_of(d)) {
    const double bytes = d["per_device_bytes"].value(place, 0.0);
    const bool limited = d["limits"].contains(place) && d["limits"][place].get<double>() > 0;
    const std::string share =
        limited ? fmt::format("{:.0f} %", 100 * bytes / d["limits"][place].get<double>()) : "-";
    const bool gpu = place != "cpu" && place != "disk";
    out += fmt::format("{:<7} {:>8.2f} {:>8} {:>9} {:>8} {:>9} {:>12}  {}\n", (gpu ? "cuda:" : "") + place,
                       bytes / kGiB, column(d["limits"], place), share, column(d["reserve"], place),
                       column(d["kv_cache"], place), column(d["activations"], place),
                       fmt::join(ranges(names[place], root), ", "));
  }
  for (const auto& warning : d["warnings"]) out += fmt::format("! {}\n", warning.get<std::string>());
  return out;
}

}  // namespace relmpi
