// state.json of a checkpoint, and the same bytes as its COMPLETE mark: train/checkpoint/checkpoint_state.h.

#include "train/checkpoint/checkpoint_state.h"

#include "tests/fuzz/fuzz.h"

namespace relmpi {
namespace {

void check_state(const TrainState& s, const std::string& text) {
  RELMPI_CHECK(s.step >= 0 && s.epoch >= 0 && s.step_in_epoch >= 0 && s.best_step >= 0, "step {}", s.step);
  RELMPI_CHECK(s.evaluations_without_best >= 0, "{}", s.evaluations_without_best);
  for (const auto& metric : s.metrics) RELMPI_CHECK(metric.is_number(), "a metric that is no number");
  RELMPI_CHECK(s.changes.is_array(), "changes that are no list");
  const auto document = to_json(s);
  const auto file = nlohmann::json::parse(text);
  for (const auto& [name, value] : document.items())
    RELMPI_CHECK(file.at(name) == value, "{} became {}", name, value.dump());
  const TrainState again = parse_state(document.dump(2) + "\n", "again");
  RELMPI_CHECK(to_json(again) == document, "read again as another state");
}

}  // namespace
}  // namespace relmpi

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relmpi;
  const std::string text(fuzz::text_of(data, size));
  if (const auto state =
          fuzz::accepted("state.json", [&] { return parse_state(text, "state.json of the fuzzer"); }))
    check_state(*state, text);
  if (const auto mark =
          fuzz::accepted("COMPLETE", [&] { return parse_complete(text, "COMPLETE of the fuzzer"); }))
    RELMPI_CHECK(mark->step >= 0 && complete_text(*mark) == text, "not the bytes that were written");
  return 0;
}
