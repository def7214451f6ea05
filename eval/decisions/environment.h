#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "dist/ranks/communicator.h"
#include "eval/decisions/comparison.h"
#include "eval/decisions/episodes.h"

namespace relmpi {

enum class Split : std::uint8_t { kCalibration, kReported };

// What policies are compared on: items, and what a step does to them. Everything is the same at any number of
// ranks, except for measured times.
class Environment {
 public:
  virtual ~Environment() = default;
  virtual std::string_view name() const = 0;
  // The numbers of a split's items, in groups that run in lockstep. An item that cannot run is in none.
  virtual std::vector<std::vector<std::int64_t>> groups(Split split) const = 0;
  // Throws InputError, with the number of items that both splits have, unless they have none in common.
  virtual void demand_disjoint() const = 0;
  // Fits what steps need (thresholds, a temperature) on the calibration split. Every rank must call it,
  // before any open().
  virtual void fit(Communicator&) {}
  // A group of a split, before any step.
  virtual std::unique_ptr<Episodes> open(Split split, std::span<const std::int64_t> items) const = 0;
  // What the sum of the tallies of all items says of a policy, beside its accuracy.
  virtual std::vector<Figure> figures(std::span<const std::int64_t>) const { return {}; }
  // Its own settings and what was fitted, for the report.
  virtual nlohmann::ordered_json header() const = 0;
};

}  // namespace relmpi
