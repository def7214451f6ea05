#include "train/selftest/selftest.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/progress.h"

namespace relmpi {
namespace {

int count(const SelftestReport& report, bool ok, bool skipped) {
  return static_cast<int>(std::ranges::count_if(
      report.checks, [&](const CheckResult& check) { return check.ok == ok && check.skipped == skipped; }));
}

// A fault, if a rank has one; else what rank 0 found. `by_rank`: what each rank found of one check.
CheckResult of_all(const std::vector<CheckResult>& by_rank) {
  for (std::size_t rank = 0; rank < by_rank.size(); ++rank) {
    CheckResult result = by_rank[rank];
    if (result.ok || result.skipped) continue;
    if (by_rank.size() > 1) result.detail = fmt::format("rank {}: {}", rank, result.detail);
    return result;
  }
  return by_rank[0];
}

}  // namespace

std::vector<Check> selftest_checks(Communicator& ranks, at::Device device) {
  std::vector<Check> all;
  for (auto& checks :
       {training_checks(device), decoder_checks(device), device_checks(device), rank_checks(ranks, device)})
    all.insert(all.end(), checks.begin(), checks.end());
  return all;
}

int SelftestReport::passed() const { return count(*this, true, false); }
int SelftestReport::failed() const { return count(*this, false, false); }
int SelftestReport::skipped() const { return count(*this, false, true); }

SelftestReport run_selftest(Communicator& ranks, at::Device device) {
  std::vector<CheckResult> mine;
  const std::vector<Check> checks = selftest_checks(ranks, device);
  Progress progress("checking", static_cast<std::int64_t>(checks.size()), ranks.rank() == 0);
  for (const Check& check : checks) {
    mine.push_back(run_check(check));
    progress.update(static_cast<std::int64_t>(mine.size()), check.name);
  }
  progress.clear();
  SelftestReport report{.device = device.str(), .checks = {}};
  std::vector<std::vector<CheckResult>> by_rank;
  for (const std::string& text : ranks.gather_bytes(nlohmann::json(mine).dump()))
    by_rank.push_back(nlohmann::json::parse(text).get<std::vector<CheckResult>>());
  for (std::size_t i = 0; !by_rank.empty() && i < checks.size(); ++i) {
    std::vector<CheckResult> found;
    for (const auto& results : by_rank) found.push_back(results[i]);
    report.checks.push_back(of_all(found));
  }
  return report;
}

nlohmann::json to_json(const SelftestReport& report) {
  return {{"device", report.device},
          {"checks", report.checks},
          {"passed", report.passed()},
          {"failed", report.failed()},
          {"skipped", report.skipped()}};
}

std::string to_text(const SelftestReport& report) {
  std::string text = fmt::format("self-test on {}\n", report.device);
  std::size_t width = 0;
  for (const CheckResult& check : report.checks) width = std::max(width, check.name.size());
  for (const CheckResult& check : report.checks)
    text += fmt::format("{:<8} {:<{}}  {}\n",
                        check.ok        ? "OK"
                        : check.skipped ? "skipped"
                                        : "FAILED",
                        check.name, width, check.detail);
  return text + fmt::format("{} passed, {} failed, {} skipped\n", report.passed(), report.failed(),
                            report.skipped());
}

}  // namespace relmpi
