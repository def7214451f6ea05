#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "eval/decisions/episode_rows.h"
#include "tests/input_error.h"

namespace relmpi {
namespace {

ItemRow example() {
  ItemRow row;
  row.policy = "mdp";
  row.item = 41;
  row.correct = true;
  row.iterations = 2;
  row.retrievals = 1;
  row.reasons = 1;
  row.cost_tokens = 77;
  row.cost_ms = 1.25;
  row.history = {{Action::kRetrieve, 0.1, 0.5, 40}, {Action::kReason, 0.5, 0.96, 37}};
  return row;
}

TEST(ItemRows, RoundTrip) {
  const auto json = to_json(example());
  EXPECT_EQ(json["correct"], 1);
  EXPECT_EQ(json["history"][0]["action"], "retrieve");
  EXPECT_EQ(item_row_from_json(nlohmann::json::parse(json.dump())), example());
}

TEST(ItemRows, OnlyThreeFieldsAreNeeded) {
  const ItemRow row =
      item_row_from_json({{"policy", "x"}, {"item", 3}, {"correct", false}, {"note", "kept out"}});
  EXPECT_EQ(row.policy, "x");
  EXPECT_EQ(row.item, 3);
  EXPECT_FALSE(row.correct);
  EXPECT_EQ(row.cost_tokens, 0);
}

TEST(ItemRows, WrongRowsAreRefused) {
  const auto good = nlohmann::json::parse(to_json(example()).dump());
  for (const char* name : {"policy", "item", "correct"}) {
    auto json = good;
    json.erase(name);
    EXPECT_THROW(item_row_from_json(json), InputError) << name;
  }
  auto json = good;
  json["correct"] = 2;
  EXPECT_THROW(item_row_from_json(json), InputError);
  json = good;
  json["item"] = 1.5;
  EXPECT_THROW(item_row_from_json(json), InputError);
  json = good;
  json["cost_tokens"] = "many";
  EXPECT_THROW(item_row_from_json(json), InputError);
  json = good;
  json["history"][0]["action"] = "think";
  EXPECT_THROW(item_row_from_json(json), InputError);
  EXPECT_THROW(item_row_from_json(nlohmann::json::array()), InputError);
}

TEST(ItemRows, BothFileFormats) {
  const auto base =
      std::filesystem::temp_directory_path() / ("relmpi_rows_test." + std::to_string(::getpid()));
  const std::filesystem::path document = base.string() + ".json";
  const std::filesystem::path lines = base.string() + ".jsonl";
  const std::string row = to_json(example()).dump();
  write_file_atomic(document, R"({"header":{},"rows":[)" + row + "]}");
  write_file_atomic(lines, row + "\n" + row + "\n");
  EXPECT_EQ(read_item_rows(document), std::vector<ItemRow>{example()});
  EXPECT_EQ(read_item_rows(lines).size(), 2u);

  write_file_atomic(lines, row + "\n{\n");
  EXPECT_INPUT_ERROR(read_item_rows(lines), lines.string() + ":2: ");
  write_file_atomic(document, R"({"rows":[]})");
  EXPECT_THROW(read_item_rows(document), InputError);
  write_file_atomic(document, "[]");
  EXPECT_THROW(read_item_rows(document), InputError);
  std::filesystem::remove(document);
  std::filesystem::remove(lines);
}

}  // namespace
}  // namespace relmpi
