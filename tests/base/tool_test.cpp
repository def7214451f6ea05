#include "base/tool.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace relmpi {
namespace {

struct Options {
  int count = 0;
  std::uint64_t seed = 0;
  std::string name;
};

std::function<int()> body_of_run;
int told = -1;  // the code that the peers are ended with

// Runs a tool with three options and the given body; `failure`: the last line on stderr, and that code.
int run(std::vector<std::string> arguments, const std::function<int()>& body,
        std::string* failure = nullptr) {
  body_of_run = body;
  told = -1;
  Tool tool(Command<Options>{.name = "tool",
                             .help = "test",
                             .options =
                                 [](CLI::App& app, Options& options) {
                                   app.add_option("--count", options.count, "a number");
                                   app.add_option("--seed", options.seed, "a number from 0");
                                   app.add_option("--name", options.name, "a text");
                                 },
                             .run =
                                 [](const Options&, Invocation& invocation) {
                                   invocation.end_peers = [](int code) { told = code; };
                                   return body_of_run();
                                 }});
  std::vector<char*> argv;
  arguments.insert(arguments.begin(), "tool");
  for (auto& argument : arguments) argv.push_back(argument.data());
  testing::internal::CaptureStderr();
  const int code = tool.run(static_cast<int>(argv.size()), argv.data());
  std::string line = testing::internal::GetCapturedStderr();
  if (failure != nullptr) *failure = line.substr(0, line.find('\n')) + " -> " + std::to_string(told);
  return code;
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

TEST(Tool, RunsTheCommandThatIsAskedForWithItsOwnOptions) {
  const auto add_count = [](CLI::App& app, int& count) { app.add_option("--count", count, "a number"); };
  const auto run_words = [&](std::vector<std::string> words) {
    Tool tool("tool", "test");
    tool.add<int>(
        {.name = "same", .help = "", .options = add_count, .run = [](const int& count, Invocation&) {
           return count;
         }});
    tool.add<int>(
        {.name = "twice", .help = "", .options = add_count, .run = [](const int& count, Invocation& of) {
           EXPECT_EQ(of.command.count("--count"), 1U);
           return 2 * count;
         }});
    std::vector<char*> argv;
    words.insert(words.begin(), "tool");
    for (auto& word : words) argv.push_back(word.data());
    return tool.run(static_cast<int>(argv.size()), argv.data());
  };
  EXPECT_EQ(run_words({"same", "--count", "3"}), 3);
  EXPECT_EQ(run_words({"twice", "--count", "3"}), 6);
  EXPECT_EQ(run_words({}), 2);
  EXPECT_EQ(run_words({"thrice"}), 2);
}

}  // namespace
}  // namespace relmpi
