#include "eval/decisions/episodes.h"

#include <numeric>

namespace relmpi {
Episodes::Episodes(const std::vector<bool>& correct_at_root) : items_(std::ssize(correct_at_root)) {
  for (std::int64_t item = 0; item < items_; ++item)
    nodes_.push_back({.state = {.item = item, .correct = correct_at_root[static_cast<std::size_t>(item)]}});
}

std::vector<Episodes::Id> Episodes::roots() const {
  std::vector<Id> all(static_cast<std::size_t>(items_));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

EpisodeState Episodes::after(const EpisodeState& before, Action action, const Result& result) {
  EpisodeState next{.item = before.item,
                    .depth = before.depth + 1,
                    .action = action,
                    .evidence = before.evidence,
                    .correct = result.correct,
                    .cost = result.cost};
  if (result.changed || before.depth == 0) next.evidence = {action, next.depth, result.confidence};
  if (!result.changed) {
    next.settled = before.settled;
    next.settled[step_index(action)] = true;
  }
  return next;
}

std::vector<Episodes::Id> Episodes::step(std::span<const Id> from, Action action) {
  const auto child_of = [&](Id id) -> Id& {
    return nodes_[static_cast<std::size_t>(id)].children[step_index(action)];
  };
  std::vector<Id> parents, children;  // of steps that were not run yet
  for (const Id id : from) {
    if (child_of(id) >= 0) continue;
    child_of(id) = std::ssize(nodes_) + std::ssize(parents);
    parents.push_back(id);
    children.push_back(child_of(id));
  }
  if (!parents.empty()) {
    const std::vector<Result> results = run(parents, children, action);
    RELMPI_CHECK(results.size() == parents.size(), "{} results of {} steps", results.size(), parents.size());
    for (std::size_t i = 0; i < parents.size(); ++i)
      nodes_.push_back({.state = after(state(parents[i]), action, results[i])});
  }
  std::vector<Id> reached;
  for (const Id id : from) reached.push_back(child_of(id));
  return reached;
}

}  // namespace relmpi
