#include "base/tool.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace relmpi {
namespace {

// Runs a tool with one option --count and the given body.
int run(std::vector<std::string> arguments, const std::function<int()>& body,
        std::string* failure = nullptr) {
  CLI::App app("test", "tool");
  int count = 0;
  app.add_option("--count", count, "a number");
  std::uint64_t seed = 0;
  app.add_option("--seed", seed, "a number from 0");
  std::string name;
  app.add_option("--name", name, "a text");
  std::vector<char*> argv;
  arguments.insert(arguments.begin(), "tool");
  for (auto& argument : arguments) argv.push_back(argument.data());
  return run_tool(app, static_cast<int>(argv.size()), argv.data(), body,
                  [&](const std::string& line, int code) {
                    if (failure != nullptr) *failure = line + " -> " + std::to_string(code);
                  });
}

TEST(Tool, GivesTheBodysCode) {
  EXPECT_EQ(run({}, [] { return 0; }), 0);
  EXPECT_EQ(run({"--count", "3"}, [] { return 75; }), 75);
}

TEST(Tool, WrongUseIsTwoAndTheBodyDoesNotRun) {
  bool ran = false;
  const auto body = [&] {
    ran = true;
    return 0;
  };
  EXPECT_EQ(run({"--cuont", "3"}, body), 2);
  EXPECT_EQ(run({"--count", "three"}, body), 2);
  EXPECT_EQ(run({"--count", "99999999999999999999"}, body), 2);
  EXPECT_EQ(run({"--seed", "99999999999999999999"}, body), 2);
  EXPECT_EQ(run({"--seed", "-1"}, body), 2);
  EXPECT_EQ(run({"--name", ""}, body), 2);
  EXPECT_EQ(run({"--name="}, body), 2);
  EXPECT_EQ(run({"--name", "\xff"}, body), 2);
  EXPECT_FALSE(ran);
  EXPECT_EQ(run({"--count", "-3", "--seed", "18446744073709551615", "--name", "\xc3\xa9"}, body), 0);
}

TEST(Tool, HelpIsNoError) {
  EXPECT_EQ(run({"--help"}, [] { return 1; }), 0);
}

TEST(Tool, ExceptionsBecomeExitCodesAndAreToldToTheCaller) {
  std::string failure;
  EXPECT_EQ(run(
                {}, []() -> int { throw InputError("bad {}", 7); }, &failure),
            2);
  EXPECT_EQ(failure, "tool: error: bad 7 -> 2");
  EXPECT_EQ(run(
                {}, []() -> int { throw RuntimeError("disk full"); }, &failure),
            1);
  EXPECT_EQ(failure, "tool: error: disk full -> 1");
  EXPECT_EQ(run(
                {}, []() -> int { throw std::out_of_range("x"); }, &failure),
            1);
}

}  // namespace
}  // namespace relmpi
