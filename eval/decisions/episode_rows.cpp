#include "eval/decisions/episode_rows.h"

#include "base/error.h"
#include "base/files.h"
#include "base/json_fields.h"

namespace relmpi {
namespace {

// 0, 1, false or true.
bool read_correct(const JsonFields& row) {
  const nlohmann::json& value = row.at("correct");
  if (value != 0 && value != 1 && !value.is_boolean()) row.wrong("correct", value, "0 or 1");
  return value == 1 || value == true;
}

HistoryStep history_step_from_json(const nlohmann::json& json, const std::string& source) {
  const JsonFields fields(json, source);
  HistoryStep step;
  try {
    step.action = action_of(fields.text("action"));
  } catch (const InputError& error) {
    throw InputError("{}: {}", source, error.what());
  }
  step.u_before = fields.number("u_before");
  step.u_after = fields.number("u_after");
  fields.read("cost_tokens", step.cost_tokens);
  return step;
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

ItemRow item_row_from_json(const nlohmann::json& json, const std::string& source) {
  const JsonFields fields(json, source);
  ItemRow row;
  row.policy = fields.text("policy");
  row.item = fields.integer("item");
  row.correct = read_correct(fields);
  fields.read("iterations", row.iterations);
  fields.read("retrievals", row.retrievals);
  fields.read("reasons", row.reasons);
  fields.read("cost_tokens", row.cost_tokens);
  fields.read("cost_ms", row.cost_ms);
  if (!fields.has("history")) return row;
  for (const auto& step : fields.array("history"))
    row.history.push_back(
        history_step_from_json(step, fmt::format("{}: history[{}]", source, row.history.size())));
  return row;
}

std::vector<ItemRow> read_item_rows(const std::filesystem::path& path) {
  std::vector<ItemRow> rows;
  if (path.extension() == ".jsonl") {
    const std::vector<std::string> lines = read_lines(path);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const std::string source = fmt::format("{}:{}", path.string(), i + 1);
      rows.push_back(item_row_from_json(parse_json(lines[i], source), source));
    }
  } else {
    const nlohmann::json document = parse_json(read_file(path), path.string());
    if (!document.is_object() || !document.contains("rows") || !document["rows"].is_array()) {
      throw InputError("{}: no \"rows\"; give a file that `relmpi-eval strategies` wrote", path.string());
    }
    for (const auto& json : document["rows"]) {
      rows.push_back(item_row_from_json(json, fmt::format("{}: row {}", path.string(), rows.size())));
    }
  }
  if (rows.empty()) throw InputError("{}: the file holds no rows", path.string());
  return rows;
}

}  // namespace relmpi
