#include "train/selftest/check.h"

#include <fmt/format.h>

#include <exception>

namespace relmpi {

CheckResult run_check(const Check& check) {
  CheckResult result{.name = check.name, .ok = false, .skipped = false, .detail = {}};
  try {
    result.detail = check.run();
    result.ok = true;
  } catch (const Skip& reason) {
    result.skipped = true;
    result.detail = reason.what();
  } catch (const std::exception& error) {
    const std::string text = error.what();
    result.detail = text.substr(0, text.find('\n'));
  }
  return result;
}

std::string within(const std::string& what, double figure, double limit) {
  if (!(figure <= limit))
    throw Fault(fmt::format("{} {:.1e}, at most {:.0e} was expected", what, figure, limit));
  return fmt::format("{} {:.1e}", what, figure);
}

}  // namespace relmpi
