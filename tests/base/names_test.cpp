#include "base/names.h"

#include <gtest/gtest.h>

namespace relmpi {
namespace {

enum class Colour { kRed, kBlue, kGreen };
constexpr Names<Colour, 3> kColours{
    {{Colour::kRed, "red"}, {Colour::kBlue, "blue"}, {Colour::kGreen, "green"}}};

TEST(Names, AreFoundAndListed) {
  for (const auto& [colour, name] : kColours) {
    EXPECT_EQ(find(kColours, name), colour);
    EXPECT_EQ(name_of(kColours, colour), name);
  }
  EXPECT_EQ(find(kColours, "re"), std::nullopt);
  EXPECT_EQ(find(kColours, "Red"), std::nullopt);
  EXPECT_EQ(listed(kColours), "red, blue or green");
  EXPECT_EQ(listed(kColours, ", "), "red, blue, green");
  EXPECT_EQ(listed(Names<Colour, 1>{{{Colour::kRed, "red"}}}), "red");
}

}  // namespace
}  // namespace relmpi
