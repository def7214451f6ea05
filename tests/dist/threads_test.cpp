#include <gtest/gtest.h>

#include "dist/ranks/rank_device.h"

namespace relmpi {
namespace {

TEST(FairThreads, CoresAreSharedByThoseWhoMayUseThem) {
  const CoresOfRank all{.host = "a", .cores = {0, 1, 2, 3}};
  EXPECT_EQ(fair_threads(0, {all}), 4);
  EXPECT_EQ(fair_threads(1, {all, all}), 2);
  EXPECT_EQ(fair_threads(2, {all, all, all}), 1);
}

TEST(FairThreads, RanksWithTheirOwnCoresKeepThem) {
  const std::vector<CoresOfRank> bound{{.host = "a", .cores = {0, 1}}, {.host = "a", .cores = {2, 3, 4}}};
  EXPECT_EQ(fair_threads(0, bound), 2);
  EXPECT_EQ(fair_threads(1, bound), 3);
}

TEST(FairThreads, EqualCoresOfAnotherHostAreNotShared) {
  EXPECT_EQ(fair_threads(0, {{.host = "a", .cores = {0, 1}}, {.host = "b", .cores = {0, 1}}}), 2);
}

TEST(FairThreads, OverlapsCountByCore) {  // 0 alone, 1 with the other: 1.5
  EXPECT_EQ(fair_threads(0, {{.host = "a", .cores = {0, 1}}, {.host = "a", .cores = {1, 2}}}), 1);
}

TEST(FairThreads, NeverNone) {
  EXPECT_EQ(fair_threads(0, {{.host = "a", .cores = {0}}, {.host = "a", .cores = {0}}}), 1);
  EXPECT_EQ(fair_threads(0, {{.host = "a", .cores = {}}}), 1);
}

}  // namespace
}  // namespace relmpi
