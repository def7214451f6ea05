#include "eval/decisions/episode_rows.h"

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"

namespace relmpi {
namespace {

template <typename T>
T field(const nlohmann::json& json, const char* name, T otherwise) {
  const auto found = json.find(name);
  return found == json.end() ? otherwise : found->get<T>();
}

// 0, 1, false or true.
bool read_correct(const nlohmann::json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value == 0 || value == 1) return value == 1;
  throw InputError("'correct' is {}; it must be 0 or 1", value.dump());
}

HistoryStep history_step_from_json(const nlohmann::json& json) {
  return {action_of(json.at("action").get<std::string>()), json.at("u_before").get<double>(),
          json.at("u_after").get<double>(), field<std::int64_t>(json, "cost_tokens", 0)};
}

ItemRow row_at(const nlohmann::json& json, const std::string& place) {
  try {
    return item_row_from_json(json);
  } catch (const InputError& error) {
    throw InputError("{}: {}", place, error.what());
  }
}

}  // namespace

nlohmann::ordered_json to_json(const ItemRow& row) {
  auto history = nlohmann::ordered_json::array();
  for (const HistoryStep& step : row.history) {
    history.push_back({{"action", name_of(step.action)},
                       {"u_before", step.u_before},
                       {"u_after", step.u_after},
                       {"cost_tokens", step.cost_tokens}});
  }
  return {{"policy", row.policy},           {"item", row.item},
          {"correct", row.correct ? 1 : 0}, {"iterations", row.iterations},
          {"retrievals", row.retrievals},   {"reasons", row.reasons},
          {"cost_tokens", row.cost_tokens}, {"cost_ms", row.cost_ms},
          {"history", std::move(history)}};
}

ItemRow item_row_from_json(const nlohmann::json& json) {
  if (!json.is_object()) throw InputError("a row is {} instead of an object", json.type_name());
  try {
    ItemRow row;
    row.policy = json.at("policy").get<std::string>();
    if (!json.at("item").is_number_integer()) {
      throw InputError("'item' is {}; it must be a whole number", json["item"].dump());
    }
    row.item = json["item"].get<std::int64_t>();
    row.correct = read_correct(json.at("correct"));
    row.iterations = field<std::int64_t>(json, "iterations", 0);
    row.retrievals = field<std::int64_t>(json, "retrievals", 0);
    row.reasons = field<std::int64_t>(json, "reasons", 0);
    row.cost_tokens = field<std::int64_t>(json, "cost_tokens", 0);
    row.cost_ms = field<double>(json, "cost_ms", 0.0);
    if (json.contains("history")) {
      for (const auto& step : json["history"]) row.history.push_back(history_step_from_json(step));
    }
    return row;
  } catch (const nlohmann::json::exception& error) {
    throw InputError("a row needs policy, item and correct, and numbers where numbers belong ({})",
                     error.what());
  }
}

std::vector<ItemRow> read_item_rows(const std::filesystem::path& path) {
  std::vector<ItemRow> rows;
  if (path.extension() == ".jsonl") {
    const std::vector<std::string> lines = read_lines(path);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const std::string place = fmt::format("{}:{}", path.string(), i + 1);
      rows.push_back(row_at(parse_json(lines[i], place), place));
    }
  } else {
    const nlohmann::json document = parse_json(read_file(path), path.string());
    if (!document.is_object() || !document.contains("rows") || !document["rows"].is_array()) {
      throw InputError("{}: no \"rows\"; give a file that `relmpi-eval strategies` wrote", path.string());
    }
    for (const auto& json : document["rows"]) {
      rows.push_back(row_at(json, fmt::format("{}: row {}", path.string(), rows.size())));
    }
  }
  if (rows.empty()) throw InputError("{}: the file holds no rows", path.string());
  return rows;
}

}  // namespace relmpi
