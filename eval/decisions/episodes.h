#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "eval/decisions/decision_process.h"

namespace relmpi {

// The actions that lead on, in the order in which they are tried.
inline constexpr std::array<Action, 2> kSteps = {Action::kReason, Action::kRetrieve};

// The place of a step in an array of two.
constexpr std::size_t step_index(Action action) {
  RELMPI_CHECK(action != Action::kTerminate, "terminate is not a step");
  return action == Action::kReason ? 0 : 1;
}

struct StepCost {
  std::int64_t tokens = 0;  // forward tokens
  double ms = 0;            // the item's share of the batch that it ran in
};

// What U is judged by: the last step that changed the answer, or the first step. A step that changes nothing
// has nothing new to say about the same answer.
struct Evidence {
  Action action = Action::kTerminate;  // terminate: no step yet
  std::int32_t depth = 0;              // which step it was, from 1
  double confidence = 0;               // what it said of its own answer; the scale is the environment's
};

// Where an item stands after a sequence of steps.
struct EpisodeState {
  std::int64_t item = 0;               // within its group
  std::int32_t depth = 0;              // steps so far
  Action action = Action::kTerminate;  // the step that led here; terminate at the root
  Evidence evidence;
  bool correct = false;
  std::array<bool, 2> settled{};  // by step_index: known to change nothing here
  StepCost cost;                  // of the step that led here
};

// A group of items that move in lockstep, and the tree of the states that they were in. A step from a state
// is run once, however many policies take it, and its cost is counted each time. What a step gives may depend
// on the group, as a batch's rounding does, but not on the rank that runs it.
class Episodes {
 public:
  using Id = std::int64_t;

  virtual ~Episodes() = default;
  Episodes(const Episodes&) = delete;
  Episodes& operator=(const Episodes&) = delete;

  std::int64_t items() const { return items_; }
  Id root(std::int64_t item) const { return item; }  // before any step
  std::vector<Id> roots() const;
  const EpisodeState& state(Id id) const { return nodes_[static_cast<std::size_t>(id)].state; }

  // Takes `action` (not terminate) in each of these states; returns where it leads. Steps that were not run
  // yet go as one batch.
  std::vector<Id> step(std::span<const Id> from, Action action);

  // Whole counts of an item that ends here, which are added over items (Environment::figures).
  virtual std::vector<std::int64_t> tally(Id) const { return {}; }

 protected:
  struct Result {
    bool changed = false;  // the answer is another one than before
    bool correct = false;
    double confidence = 0;
    StepCost cost;
  };

  explicit Episodes(const std::vector<bool>& correct_at_root);

  // Runs `action` in states where it was not run yet; the i-th leads to the state children[i], which is new:
  // ids count up from items(), without a gap.
  virtual std::vector<Result> run(std::span<const Id> from, std::span<const Id> children, Action action) = 0;

 private:
  struct Node {
    EpisodeState state;
    std::array<Id, 2> children = {-1, -1};  // by step_index
  };

  static EpisodeState after(const EpisodeState& before, Action action, const Result& result);

  std::int64_t items_;
  std::vector<Node> nodes_;
};

}  // namespace relmpi
