#include "dist/ranks/agreement.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "base/json.h"

namespace relmpi {
namespace {

struct Program {
  CLI::App app{"", "program"};
  std::string data = "d", out;
  double lr = 0.5;

  Program() {
    app.add_option("--data", data)->capture_default_str();
    app.add_option("--lr", lr)->capture_default_str();
    app.add_option("--out", out);
  }
};

TEST(OptionFacts, AreWhatWasGivenOrIsTheDefaultButForThoseThatMayDiffer) {
  Program program;
  program.app.parse("--out o");
  EXPECT_EQ(option_facts(program.app, {}),
            nlohmann::json({{"--data", "d"}, {"--lr", "0.5"}, {"--out", "o"}}));
  EXPECT_EQ(option_facts(program.app, {"data", "out"}), nlohmann::json({{"--lr", "0.5"}}));
}

TEST(OptionFactsDeathTest, WhatMayDifferMustBeAnOptionOfTheCommand) {
  const Program program;
  EXPECT_DEATH(option_facts(program.app, {"dta"}), "program has no option --dta");
}

}  // namespace
}  // namespace relmpi
