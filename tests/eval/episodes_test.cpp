#include "eval/decisions/episodes.h"

#include <gtest/gtest.h>

#include "tests/eval/toy_environment.h"

namespace relmpi {
namespace {

using toy::ToyEpisodes;
using Ids = std::vector<Episodes::Id>;

// Items 0 (right after one retrieve), 8 (after two) and 15 (never by retrieves), all after one reason.
const std::vector<std::int64_t> kThree = {0, 8, 15};

TEST(Episodes, AStepIsRunOnceHoweverManyTakeIt) {
  ToyEpisodes episodes({}, kThree);
  EXPECT_EQ(episodes.roots(), Ids({0, 1, 2}));
  const Ids first = episodes.step(Ids{0, 1, 0}, Action::kRetrieve);
  EXPECT_EQ(first, Ids({3, 4, 3}));
  EXPECT_EQ(episodes.steps_run, 2);
  EXPECT_EQ(episodes.step(Ids{2, 1, 0}, Action::kRetrieve), Ids({5, 4, 3}));
  EXPECT_EQ(episodes.steps_run, 3);
  EXPECT_EQ(episodes.batches, 2);
  EXPECT_EQ(episodes.step(Ids{1}, Action::kReason), Ids({6}));  // another step, another state
  EXPECT_EQ(episodes.step({}, Action::kReason), Ids());
  EXPECT_EQ(episodes.batches, 3);
}

TEST(Episodes, StatesTellWhatLedToThem) {
  ToyEpisodes episodes({.retrieve_tokens = 7}, kThree);
  const EpisodeState root = episodes.state(episodes.root(1));
  EXPECT_EQ(root.item, 1);
  EXPECT_EQ(root.depth, 0);
  EXPECT_EQ(root.action, Action::kTerminate);
  EXPECT_FALSE(root.correct);
  EXPECT_EQ(root.cost.tokens, 0);
  const Ids once = episodes.step(Ids{1}, Action::kRetrieve);
  const Ids twice = episodes.step(once, Action::kRetrieve);
  const EpisodeState state = episodes.state(twice[0]);
  EXPECT_EQ(state.item, 1);
  EXPECT_EQ(state.depth, 2);
  EXPECT_EQ(state.action, Action::kRetrieve);
  EXPECT_FALSE(episodes.state(once[0]).correct);
  EXPECT_TRUE(state.correct);
  EXPECT_EQ(state.cost.tokens, 7);
  EXPECT_EQ(state.cost.ms, 0.5);
}

// A step that changes nothing is no news of the answer, and is known to change nothing until another step
// does.
TEST(Episodes, EvidenceIsOfTheLastStepThatChangedTheAnswer) {
  ToyEpisodes episodes({}, kThree);
  const Ids right = episodes.step(Ids{0}, Action::kRetrieve);
  EXPECT_EQ(episodes.state(right[0]).evidence.depth, 1);
  EXPECT_EQ(episodes.state(right[0]).evidence.confidence, 1.0);
  EXPECT_EQ(episodes.state(right[0]).settled, (std::array{false, false}));
  const Ids still = episodes.step(right, Action::kReason);  // changes nothing
  EXPECT_EQ(episodes.state(still[0]).evidence.depth, 1);
  EXPECT_EQ(episodes.state(still[0]).evidence.action, Action::kRetrieve);
  EXPECT_EQ(episodes.state(still[0]).settled, (std::array{true, false}));
  EXPECT_EQ(episodes.state(episodes.step(still, Action::kRetrieve)[0]).settled, (std::array{true, true}));

  const Ids wrong = episodes.step(episodes.step(Ids{2}, Action::kRetrieve), Action::kRetrieve);
  EXPECT_EQ(episodes.state(wrong[0]).evidence.depth, 2);
  EXPECT_EQ(episodes.state(wrong[0]).settled, (std::array{false, false}));
}

TEST(Episodes, TerminateLeadsNowhere) {
  ToyEpisodes episodes({}, kThree);
  EXPECT_DEATH(episodes.step(Ids{0}, Action::kTerminate), "terminate");
}

}  // namespace
}  // namespace relmpi
