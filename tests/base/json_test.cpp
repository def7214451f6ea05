#include "base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace relmpi {
namespace {

std::string error_of(const std::string& text) {
  try {
    parse_json(text, "some.json");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(ParseJson, GivesTheDocument) {
  const auto document = parse_json(R"({"a": [1, {"a": "字"}], "b": {"a": null}})", "some.json");
  EXPECT_EQ(document["a"][1]["a"], "字");
  EXPECT_TRUE(document["b"]["a"].is_null());
  EXPECT_EQ(parse_json(" 1.5 ", "some.json"), 1.5);
}

TEST(ParseJson, NamesTheFileThatIsNoJson) {
  for (const char* text : {"", "{", "[1,]", "{\"a\" 1}", "\"\xff\"", "nul", "[] []"})
    EXPECT_NE(error_of(text).find("some.json"), std::string::npos) << text;
}

TEST(ParseJson, RefusesAKeyThatIsThereTwice) {
  EXPECT_NE(error_of(R"({"a": 1, "b": {"字": 1, "c": 2, "字": 3}})").find("字"), std::string::npos);
  EXPECT_EQ(error_of(R"([{"a": 1}, {"a": 1, "b": {"a": 1}}])"), "");
}

// A million levels used up the stack when a document was copied or printed.
TEST(ParseJson, RefusesDeepNesting) {
  EXPECT_EQ(error_of(nested(kJsonDepth)), "");
  EXPECT_EQ(error_of(nested(kJsonDepth - 1).insert(kJsonDepth - 1, "{\"a\": 1}")), "");
  EXPECT_NE(error_of(nested(kJsonDepth + 1)).find("64"), std::string::npos);
  EXPECT_NE(error_of(nested(1'000'000)), "");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_NE(error_of(objects), "");
}

TEST(WholeNumber, IsAnIntegerOf64BitsWithSign) {
  for (const char* text : {"0", "-1", "9223372036854775807", "-9223372036854775808"})
    EXPECT_TRUE(is_whole_number(parse_json(text, "t"))) << text;
  for (const char* text : {"1.0", "1e300", "9223372036854775808", "true", "null", "\"1\"", "[1]"})
    EXPECT_FALSE(is_whole_number(parse_json(text, "t"))) << text;
}

}  // namespace
}  // namespace relmpi
