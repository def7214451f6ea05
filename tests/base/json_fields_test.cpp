#include "base/json_fields.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/input_error.h"

namespace relmpi {
namespace {

using Json = nlohmann::json;

const Json kObject =
    Json::parse(R"({"flag": true, "whole": -7, "count": 3, "half": 0.5, "text": "字", "list": [1],
                                     "object": {"a": 1}, "nothing": null, "large": 9223372036854775808})");

std::string error_of(const std::function<void(const JsonFields&)>& read) {
  return input_error_of([&] { read(JsonFields(kObject, "some.json: part")); });
}

TEST(JsonFields, GivesTypedValues) {
  const JsonFields fields(kObject, "some.json");
  EXPECT_TRUE(fields.flag("flag"));
  EXPECT_EQ(fields.integer("whole"), -7);
  EXPECT_EQ(fields.count("count"), 3);
  EXPECT_EQ(fields.number("half"), 0.5);
  EXPECT_EQ(fields.number("count"), 3.0);
  EXPECT_EQ(fields.text("text"), "字");
  EXPECT_EQ(fields.array("list").size(), 1u);
  EXPECT_EQ(JsonFields(fields.object("object"), "inner").integer("a"), 1);
}

TEST(JsonFields, NullCountsAsMissing) {
  const JsonFields fields(kObject, "some.json");
  for (const char* name : {"nothing", "absent"}) {
    EXPECT_FALSE(fields.has(name));
    EXPECT_EQ(fields.find(name), nullptr);
    EXPECT_TRUE(fields.flag(name, true));
    EXPECT_EQ(fields.text(name, "otherwise"), "otherwise");
    double value = 1.5;
    EXPECT_FALSE(fields.read(name, value));
    EXPECT_EQ(value, 1.5);
    EXPECT_EQ(error_of([&](const JsonFields& f) { f.number(name); }),
              fmt::format("some.json: part: the field \"{}\" is missing", name));
  }
}

TEST(JsonFields, ReadSaysWhetherTheFieldWasThere) {
  const JsonFields fields(kObject, "some.json");
  bool flag = false;
  std::int64_t whole = 0;
  double half = 0;
  std::string text;
  EXPECT_TRUE(fields.read("flag", flag) && fields.read("whole", whole) && fields.read("half", half) &&
              fields.read("text", text));
  EXPECT_TRUE(flag && whole == -7 && half == 0.5 && text == "字");
}

TEST(JsonFields, AValueOfTheWrongKindIsNamedWithItsPlaceAndWhatItMustBe) {
  EXPECT_EQ(error_of([](const JsonFields& f) { f.integer("half"); }),
            "some.json: part: the field \"half\" has the value 0.5, which is of the wrong kind: it must be a "
            "whole number");
  const std::pair<const char*, std::function<void(const JsonFields&)>> cases[] = {
      {"true or false", [](const JsonFields& f) { f.flag("count"); }},
      {"a whole number", [](const JsonFields& f) { f.integer("large"); }},
      {"at least 0", [](const JsonFields& f) { f.count("whole"); }},
      {"a number", [](const JsonFields& f) { f.number("text"); }},
      {"a text", [](const JsonFields& f) { f.text("list"); }},
      {"an array", [](const JsonFields& f) { f.array("object"); }},
      {"an object", [](const JsonFields& f) { f.object("list"); }},
      {"a whole number", [](const JsonFields& f) {
         std::int64_t value = 0;
         f.read("text", value);
       }}};
  for (const auto& [wanted, read] : cases)
    EXPECT_NE(error_of(read).find(std::string("must be ") + wanted), std::string::npos) << error_of(read);
}

TEST(JsonFields, FieldsOfOtherNamesAreRefusedOnDemand) {
  const Json object = {{"a", 1}, {"b", 2}};
  JsonFields(object, "some.json").demand_only({"a", "b", "c"});
  EXPECT_THROW(JsonFields(object, "some.json").demand_only({"a"}), InputError);
}

TEST(JsonFields, OnlyAnObjectHasFields) {
  for (const Json& other : {Json(1), Json("text"), Json::array({1}), Json()})
    EXPECT_THROW(JsonFields(other, "some.json"), InputError) << other;
}

TEST(JsonFields, LongValuesAreCutInMessages) {
  EXPECT_EQ(JsonFields::shown(std::string(100, 'a')).size(), 80u);
  EXPECT_EQ(JsonFields::shown("\xff"), "\"\\ufffd\"");
}

}  // namespace
}  // namespace relmpi
