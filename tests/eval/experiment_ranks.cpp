// An experiment at several numbers of ranks, run under mpirun: its report is that of one process.

#include <gtest/gtest.h>

#include "dist/ranks/backends.h"
#include "eval/decisions/experiment.h"
#include "tests/eval/toy_environment.h"

namespace relmpi {
namespace {

Communicator* world = nullptr;

void expect_the_report_of_one_process(const toy::Options& toy_options) {
  ExperimentOptions options;
  options.policies = {"mdp", "fixed-k", "always-retrieve", "always-reason", "random", "threshold", "oracle"};
  options.max_k = 2;
  options.progress.mu = 0.3;
  toy::ToyEnvironment environment(toy_options);
  const ExperimentReport shared = run_experiment(environment, options, *world);
  if (world->rank() != 0) {
    EXPECT_TRUE(shared.rows.empty());
    return;
  }
  Communicator alone;
  const ExperimentReport wanted = run_experiment(environment, options, alone);
  EXPECT_EQ(wanted.rows.size(), 9u * static_cast<std::size_t>(toy_options.items));
  EXPECT_EQ(to_json(shared).dump(), to_json(wanted).dump());
  EXPECT_EQ(to_text(shared), to_text(wanted));
}

TEST(ExperimentRanks, TheReportIsThatOfOneProcess) { expect_the_report_of_one_process({.group = 100}); }

TEST(ExperimentRanks, RanksWithoutAGroupAgreeToo) {
  expect_the_report_of_one_process({.items = 5, .group = 2000});
}

TEST(ExperimentRanks, EveryRankRefusesSharedItems) {
  toy::ToyEnvironment environment({.shared = 1});
  EXPECT_THROW(run_experiment(environment, {}, *world), InputError);
}

}  // namespace
}  // namespace relmpi

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const auto communicator = relmpi::make_communicator({.timeout_seconds = 60});
  relmpi::world = communicator.get();
  const int result = RUN_ALL_TESTS();
  std::int64_t failed = result;
  communicator->all_reduce_host(&failed, 1, relmpi::ReduceType::kInt64);
  return failed == 0 ? 0 : 1;
}
