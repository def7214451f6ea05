#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dist/ranks/communicator.h"
#include "eval/decisions/episode_rows.h"
#include "eval/decisions/episodes.h"
#include "eval/decisions/progress_model.h"

namespace relmpi {

// What one policy did with one item, and the state it stopped in.
struct Trajectory {
  ItemRow row;
  Episodes::Id end = 0;
};

class CalibrationRuns;

// A rule for how many steps an item gets, and which.
class Policy {
 public:
  virtual ~Policy() = default;
  const std::string& name() const { return name_; }

  // Runs over a group; `items` are its items' numbers in the data set. At most `most_steps` steps each.
  virtual std::vector<Trajectory> run(Episodes& episodes, std::span<const std::int64_t> items,
                                      int most_steps) const = 0;
  // Fits what is the policy's own on the calibration split. Every rank must call it and fits alike.
  virtual void fit(const CalibrationRuns&, Communicator&) {}

 protected:
  // `progress` must outlive the policy.
  Policy(std::string name, const ProgressModel& progress) : name_(std::move(name)), progress_(progress) {}

  const ProgressModel& progress() const { return progress_; }
  // Every item at its root.
  std::vector<Trajectory> start(const Episodes& episodes, std::span<const std::int64_t> items) const;
  // Adds the step that led to `to`.
  void take(Trajectory& trajectory, const Episodes& episodes, Episodes::Id to) const;

 private:
  std::string name_;
  const ProgressModel& progress_;
};

// A policy that knows no more than what the steps so far have told.
class StepwisePolicy : public Policy {
 public:
  // A function of the state and of the item's number in the data set alone, so that every rank and every
  // restart chooses alike.
  virtual Action next(const EpisodeState& state, std::int64_t item) const = 0;
  std::vector<Trajectory> run(Episodes& episodes, std::span<const std::int64_t> items,
                              int most_steps) const final;

 protected:
  using Policy::Policy;
};

// The calibration split, for policies that are fitted: each rank runs them on its own groups.
class CalibrationRuns {
 public:
  struct Group {
    std::vector<std::int64_t> items;
    std::unique_ptr<Episodes> episodes;
  };

  // Sums over all items of the split.
  struct Totals {
    std::int64_t items = 0, right = 0, steps = 0, retrievals = 0;
  };

  CalibrationRuns(std::vector<Group> mine, int most_steps)
      : mine_(std::move(mine)), most_steps_(most_steps) {}

  // Every rank must call it and gets the same.
  Totals run(const Policy& policy, Communicator& communicator) const;

 private:
  std::vector<Group> mine_;
  int most_steps_;
};

}  // namespace relmpi
