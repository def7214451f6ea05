#include "eval/decisions/policy.h"

#include <array>
#include <numeric>

#include "dist/ranks/share.h"

namespace relmpi {

std::vector<Trajectory> Policy::start(const Episodes& episodes, std::span<const std::int64_t> items) const {
  RELMPI_CHECK(std::ssize(items) == episodes.items(), "{} numbers of {} items", items.size(),
               episodes.items());
  std::vector<Trajectory> all(items.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].row.policy = name_;
    all[i].row.item = items[i];
    all[i].end = episodes.root(static_cast<std::int64_t>(i));
    all[i].row.correct = episodes.state(all[i].end).correct;
  }
  return all;
}

void Policy::take(Trajectory& t, const Episodes& episodes, Episodes::Id to) const {
  const EpisodeState &before = episodes.state(t.end), &after = episodes.state(to);
  t.row.history.push_back({after.action, progress_.u(before), progress_.u(after), after.cost.tokens});
  ++t.row.iterations;
  (after.action == Action::kRetrieve ? t.row.retrievals : t.row.reasons) += 1;
  t.row.cost_tokens += after.cost.tokens;
  t.row.cost_ms += after.cost.ms;
  t.row.correct = after.correct;
  t.end = to;
}

std::vector<Trajectory> StepwisePolicy::run(Episodes& episodes, std::span<const std::int64_t> items,
                                            int most_steps) const {
  std::vector<Trajectory> all = start(episodes, items);
  std::vector<std::size_t> active(all.size());
  std::iota(active.begin(), active.end(), 0);
  for (int step = 0; step < most_steps && !active.empty(); ++step) {
    std::array<std::vector<std::size_t>, 2> chosen;  // by step_index
    std::vector<std::size_t> still;
    for (const std::size_t i : active) {
      const Action action = next(episodes.state(all[i].end), items[i]);
      if (action == Action::kTerminate) continue;
      chosen[step_index(action)].push_back(i);
      still.push_back(i);
    }
    for (const Action action : kSteps) {
      const std::vector<std::size_t>& list = chosen[step_index(action)];
      std::vector<Episodes::Id> from;
      from.reserve(list.size());
      for (const std::size_t i : list) from.push_back(all[i].end);
      const auto reached = episodes.step(from, action);
      for (std::size_t n = 0; n < list.size(); ++n) take(all[list[n]], episodes, reached[n]);
    }
    active = std::move(still);
  }
  return all;
}

CalibrationRuns::Totals CalibrationRuns::run(const Policy& policy, Communicator& communicator) const {
  std::array<std::int64_t, 4> sums{};
  for (const Group& group : mine_) {
    for (const Trajectory& t : policy.run(*group.episodes, group.items, most_steps_)) {
      sums[0] += 1;
      sums[1] += t.row.correct;
      sums[2] += t.row.iterations;
      sums[3] += t.row.retrievals;
    }
  }
  add_up(communicator, sums);
  return {.items = sums[0], .right = sums[1], .steps = sums[2], .retrievals = sums[3]};
}

}  // namespace relmpi
