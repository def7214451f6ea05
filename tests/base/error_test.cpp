#include "base/error.h"

#include <gtest/gtest.h>

namespace relmpi {
namespace {

TEST(Error, FormatsItsArguments) {
  EXPECT_STREQ(InputError("--seed {}: below {}", -1, 0).what(), "--seed -1: below 0");
  EXPECT_STREQ(RuntimeError("rank {} is lost", 3).what(), "rank 3 is lost");
}

TEST(Error, BracesInAReadyTextAreNotAFormat) {
  const std::string text = "{not a format}";
  EXPECT_EQ(InputError(text).what(), text);
}

TEST(ErrorDeathTest, ABrokenPromiseEndsTheProcessAndSaysWhere) {
  const int shards = 2;
  EXPECT_DEATH(RELMPI_CHECK(shards == 3, "{} shards", shards), "shards == 3.*2 shards");
}

TEST(Error, APromiseThatHoldsDoesNothing) {
  int evaluated = 0;
  RELMPI_CHECK(++evaluated == 1, "once");
  EXPECT_EQ(evaluated, 1);
}

}  // namespace
}  // namespace relmpi
