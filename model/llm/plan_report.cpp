#include "model/llm/plan_report.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "model/llm/plan_warnings.h"

namespace relmpi {
namespace {

using nlohmann::ordered_json;

constexpr double kGiB = 1 << 30;

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

std::string gib(std::int64_t bytes) { return fmt::format("{:.2f}", static_cast<double>(bytes) / kGiB); }

std::string column(const std::map<Place, std::int64_t>& values, Place place) {
  return values.contains(place) ? gib(values.at(place)) : "-";
}

}  // namespace

ordered_json to_json(const LlmPlan& plan) {
  ordered_json map = ordered_json::object();
  for (const auto& [prefix, place] : plan.map.entries) {
    if (place.is_gpu())
      map[prefix] = place.number;
    else
      map[prefix] = to_string(place);
  }
  return {{"device_map", map},
          {"max_memory", by_place(plan.weight_limits)},
          {"bytes", model_bytes(plan.tree)},
          {"per_device_bytes", by_place(plan.weights)},
          {"dtype", dtype_name(plan.dtype)},
          {"limits", by_place(plan.limits)},
          {"reserve", by_place(plan.reserve)},
          {"batch", plan.work.batch},
          {"length", plan.work.length},
          {"kv_cache", by_place(plan.cache)},
          {"activations", by_place(plan.activations)},
          {"warnings", plan_warnings(plan)}};
}

std::string to_text(const LlmPlan& plan) {
  std::map<Place, std::vector<std::string>> modules;
  for (const auto& [prefix, place] : plan.map.entries) modules[place].push_back(prefix);
  const char* root = plan.map.entries.size() == 1 ? "the whole model" : "all the rest";
  std::string out = fmt::format(
      "{} GiB of weights in {}; cache and activations for {} text(s) of {} tokens; sizes in GiB\n"
      "{:<7} {:>8} {:>8} {:>9} {:>8} {:>9} {:>12}  {}\n",
      gib(model_bytes(plan.tree)), dtype_name(plan.dtype), plan.work.batch, plan.work.length, "device",
      "weights", "limit", "of limit", "reserve", "KV cache", "activations", "modules");
  for (const Place place : plan.places()) {
    const std::int64_t weights = bytes_at(plan.weights, place), limit = bytes_at(plan.limits, place);
    const std::string share =
        limit > 0 ? fmt::format("{:.0f} %", 100 * static_cast<double>(weights) / static_cast<double>(limit))
                  : "-";
    out +=
        fmt::format("{:<7} {:>8} {:>8} {:>9} {:>8} {:>9} {:>12}  {}\n", device_name(place), gib(weights),
                    column(plan.limits, place), share, column(plan.reserve, place), column(plan.cache, place),
                    column(plan.activations, place), fmt::join(ranges(modules[place], root), ", "));
  }
  for (const std::string& warning : plan_warnings(plan)) out += fmt::format("! {}\n", warning);
  return out;
}

}  // namespace relmpi
