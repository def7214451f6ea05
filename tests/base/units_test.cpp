#include "base/units.h"

#include <gtest/gtest.h>

#include "tests/input_error.h"

namespace relmpi {
namespace {

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

TEST(ParseBytes, ReadsSizesAsAccelerateDoes) {
  EXPECT_EQ(parse_bytes("24GiB"), 24 * kGiB);
  EXPECT_EQ(parse_bytes("24GB"), 24'000'000'000);
  EXPECT_EQ(parse_bytes("1.5gib"), 3 * kGiB / 2);
  EXPECT_EQ(parse_bytes("1gb"), 125'000'000);  // a last small b: bits
  EXPECT_EQ(parse_bytes("8Kb"), 1000);
  EXPECT_EQ(parse_bytes("0.3KiB"), 307);
  EXPECT_EQ(parse_bytes(" 5 MB "), 5'000'000);
  EXPECT_EQ(parse_bytes("0"), 0);
  EXPECT_EQ(parse_bytes("9007199254740993"), 9007199254740993);  // no double on the way
}

TEST(ParseBytes, RefusesWhatIsNoSize) {
  for (const char* text : {"", "GiB", "-1GiB", "-1", "12 parsecs", "nanGB", "infGiB", "1e300GB", "0x10MB",
                           "1,5GB", "5G", "nan", "1e400"})
    EXPECT_INPUT_ERROR(parse_bytes(text), "is no size");
}

TEST(BytesText, TakesTheLargestUnitThatIsNotBelowOne) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1 KiB");
  EXPECT_EQ(bytes_text(64 << 20), "64 MiB");
  EXPECT_EQ(bytes_text(12.34 * (1 << 20)), "12.3 MiB");
  EXPECT_EQ(bytes_text(2.25 * kGiB), "2.25 GiB");
  EXPECT_EQ(bytes_text(5e15), "4547.5 TiB");
}

}  // namespace
}  // namespace relmpi
