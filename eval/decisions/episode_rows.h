#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "eval/decisions/decision_process.h"

namespace relmpi {

// One step that a policy took on an item.
struct HistoryStep {
  Action action = Action::kTerminate;
  double u_before = 0;
  double u_after = 0;
  std::int64_t cost_tokens = 0;

  bool operator==(const HistoryStep&) const = default;
};

// What one policy did on one item: a row of results/*.json.
struct ItemRow {
  std::string policy;
  std::int64_t item = 0;
  bool correct = false;
  std::int64_t iterations = 0;
  std::int64_t retrievals = 0;
  std::int64_t reasons = 0;
  std::int64_t cost_tokens = 0;
  double cost_ms = 0;
  std::vector<HistoryStep> history;

  bool operator==(const ItemRow&) const = default;
};

nlohmann::ordered_json to_json(const ItemRow& row);

// Needs policy, item and correct; the other fields are 0 if absent, and unknown ones are left alone.
// Throws InputError, which names the source and the field.
ItemRow item_row_from_json(const nlohmann::json& json, const std::string& source = "row");

// The rows of a result file (an object with "rows", as `strategies` writes it) or of a .jsonl file with a row
// a line. Throws InputError with the file and the row's number (or line).
std::vector<ItemRow> read_item_rows(const std::filesystem::path& path);

}  // namespace relmpi
