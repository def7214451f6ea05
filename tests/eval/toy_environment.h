#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "eval/decisions/environment.h"
#include "eval/decisions/progress_model.h"

namespace relmpi::toy {

// An environment whose best policy is known in closed form. An item is right from its n-th retrieve on, or
// from its m-th reason on; over 1024 items n and m are independent, and whatever has been tried in vain, the
// next retrieve helps exactly half of the items that are still wrong (for the first four) and the next reason
// exactly a quarter (for the first three). A right answer stays, and each step tells whether it is right. So
// while the answer is wrong, a step that costs c and helps with probability p is worth taking for ever if
// mu c < p, the value is then 1 - mu c / p, and the better step is the one of lower c / p.
constexpr std::int64_t kItems = 1024;
constexpr double kRetrieveHelps = 1.0 / 2, kReasonHelps = 1.0 / 4;
constexpr int kNever = 99;

constexpr int retrieves_needed(std::int64_t item) {
  const std::int64_t i = item % 16;
  return i < 8 ? 1 : i < 12 ? 2 : i < 14 ? 3 : i < 15 ? 4 : kNever;
}

constexpr int reasons_needed(std::int64_t item) {
  const std::int64_t i = item / 16 % 64;
  return i < 16 ? 1 : i < 28 ? 2 : i < 37 ? 3 : kNever;
}

struct Options {
  std::int64_t retrieve_tokens = 10, reason_tokens = 10;
  std::int64_t items = kItems;  // of the reported split
  std::int64_t group = 100;     // 1024 is no multiple of it: the last group is short
  std::int64_t shared = 0;      // items that both splits claim to have
};

class ToyEpisodes final : public Episodes {
 public:
  ToyEpisodes(const Options& options, std::span<const std::int64_t> items)
      : Episodes(std::vector<bool>(items.size(), false)),
        options_(options),
        items_(items.begin(), items.end()),
        taken_(items.size()) {}

  std::vector<std::int64_t> tally(Id end) const override { return {state(end).correct, 1}; }

  std::int64_t batches = 0, steps_run = 0;

 protected:
  std::vector<Result> run(std::span<const Id> from, std::span<const Id> children, Action action) override {
    ++batches;
    std::vector<Result> results;
    for (std::size_t i = 0; i < from.size(); ++i) {
      RELMPI_CHECK(children[i] == std::ssize(taken_), "state {} comes out of order", children[i]);
      ++steps_run;
      const bool was_right = state(from[i]).correct;
      std::array<int, 2> taken = taken_[static_cast<std::size_t>(from[i])];
      ++taken[step_index(action)];
      const std::int64_t item = items_[static_cast<std::size_t>(state(from[i]).item)];
      const bool right = was_right || taken[step_index(Action::kRetrieve)] >= retrieves_needed(item) ||
                         taken[step_index(Action::kReason)] >= reasons_needed(item);
      const std::int64_t tokens =
          action == Action::kRetrieve ? options_.retrieve_tokens : options_.reason_tokens;
      taken_.push_back(taken);
      results.push_back({.changed = !was_right,
                         .correct = right,
                         .confidence = right ? 1.0 : 0.0,
                         .cost = {.tokens = tokens, .ms = 0.5}});
    }
    return results;
  }

 private:
  Options options_;
  std::vector<std::int64_t> items_;
  std::vector<std::array<int, 2>> taken_;  // by state and step_index
};

class ToyEnvironment final : public Environment {
 public:
  explicit ToyEnvironment(const Options& options = {}) : options_(options) {}

  std::string_view name() const override { return "toy"; }
  std::vector<std::vector<std::int64_t>> groups(Split split) const override {
    std::vector<std::vector<std::int64_t>> all;
    for (std::int64_t item = 0; item < (split == Split::kReported ? options_.items : kItems); ++item) {
      if (item % options_.group == 0) all.emplace_back();
      all.back().push_back(item);
    }
    return all;
  }
  void demand_disjoint() const override {
    if (options_.shared > 0) throw InputError("{} items are in both splits", options_.shared);
  }
  std::unique_ptr<Episodes> open(Split, std::span<const std::int64_t> items) const override {
    return std::make_unique<ToyEpisodes>(options_, items);
  }
  std::vector<Figure> figures(std::span<const std::int64_t> tally) const override {
    return {{"right", static_cast<double>(tally[0])}, {"seen", static_cast<double>(tally[1])}};
  }
  nlohmann::ordered_json header() const override { return {{"group", options_.group}}; }

 private:
  Options options_;
};

inline std::vector<std::int64_t> all_items() {
  std::vector<std::int64_t> items;
  for (std::int64_t item = 0; item < kItems; ++item) items.push_back(item);
  return items;
}

// What is fitted on three steps of all items.
inline ProgressModel fitted(const Options& options, double mu) {
  ToyEpisodes episodes(options, all_items());
  return {observe(episodes, 3), {.mu = mu}};
}

}  // namespace relmpi::toy
