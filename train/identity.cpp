#include "train/identity.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/hash.h"
#include "base/torch_headers.h"

namespace relmpi {
namespace {

// Without these the same sequence of batches, or the tensors of the checkpoint, would mean something else.
const std::set<std::string> kFixed{"data", "vocabulary", "candidates", "model", "seed", "global-batch"};

// What a run did that began before its name was stored.
const nlohmann::json kBeforeItsName{{"deterministic", false}};

void demand_known(const nlohmann::json& identity, const std::vector<std::string>& allowed) {
  std::vector<std::string> known;
  for (const auto& [name, value] : identity.items())
    if (!kFixed.contains(name)) known.push_back(name);
  for (const std::string& name : allowed)
    if (std::ranges::find(known, name) == known.end())
      throw InputError("--allow-change {}: {}; what may change within a run: {}", name,
                       kFixed.contains(name) ? "a run cannot go on with another one (start a new run from "
                                               "this one's model: --model RUN/model)"
                                             : "there is no such name",
                       fmt::join(known, ", "));
}

// Runs of relmpi before names were stored: which schedule a number meant is not known any more.
void demand_names(const nlohmann::json& before) {
  for (const char* name : {"schedule", "mft-mode"})
    if (before.contains(name) && before[name].is_number())
      throw InputError(
          "the run in --out was written by an older relmpi: its checkpoint says {} {}, a number where this "
          "program writes a name. Finish it with the program that began it, or start another run in a new "
          "folder (--out NEW --fresh)",
          name, before[name].dump());
}

}  // namespace

nlohmann::json run_identity(const TrainOptions& o, const Setup& setup, std::int64_t total_steps) {
  nlohmann::json model = to_json(setup.model.config);
  model["dgca"].erase("thresholds");
  const auto& table = setup.model.candidates.ids;
  return {{"data", setup.data->fingerprint()},
          {"validation", setup.validation ? setup.validation->fingerprint() : ""},
          {"vocabulary", setup.model.vocabulary->xxh3()},
          {"candidates",
           xxh3_128({reinterpret_cast<const char*>(table.data()), table.size() * sizeof(std::int32_t)})},
          {"model", model},
          {"seed", o.step.seed},
          {"precision", o.step.precision},
          {"deterministic", o.step.deterministic},
          {"global-batch", o.step.global_batch},
          {"steps", total_steps},
          {"lr", o.step.lr},
          {"beta1", o.step.beta1},
          {"beta2", o.step.beta2},
          {"adam-epsilon", o.step.epsilon},
          {"weight-decay", o.step.weight_decay},
          {"clip", o.step.clip},
          {"warmup", o.run.warmup},
          {"schedule", name_of(kSchedules, o.run.schedule)},
          {"mixture-after", o.run.mixture_after},
          {"mft-mode", name_of(kMaskModes, o.step.mft_mode)},
          {"mft-rate", o.step.mft_rate},
          {"metric", name_of(kMetrics, o.run.metric)}};
}

nlohmann::json changes_since(const nlohmann::json& before, const nlohmann::json& now,
                             const std::vector<std::string>& allowed) {
  demand_names(before);
  demand_known(now, allowed);
  nlohmann::json changes = nlohmann::json::array();
  std::string refused;
  for (const auto& [name, value] : now.items()) {
    const nlohmann::json was = before.value(name, kBeforeItsName.value(name, nlohmann::json(nullptr)));
    if (was == value) continue;
    if (std::ranges::find(allowed, name) != allowed.end())
      changes.push_back({{"name", name}, {"before", was}, {"after", value}});
    else
      refused += fmt::format(
          "\n  {}: {} before, {} now{}", name, was.dump(), value.dump(),
          kFixed.contains(name) ? "" : fmt::format("   (--allow-change {} goes on with it)", name));
  }
  if (!refused.empty())
    throw InputError(
        "the run in --out was started with something else, so it cannot go on:{}\nGive the same again, or "
        "start another "
        "run in another folder (--out)",
        refused);
  return changes;
}

}  // namespace relmpi
