#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace relmpi {

// What one check found on one rank.
struct CheckResult {
  std::string name;
  bool ok = false, skipped = false;
  std::string detail;  // figures, or the reason
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CheckResult, name, ok, skipped, detail)

// What a check throws if it does not apply here; the text is the reason.
class Skip : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What a check throws if it does not hold.
class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Check {
  std::string name;
  std::function<std::string()> run;  // returns the figures
};

// Any other exception is a fault too: its first line.
CheckResult run_check(const Check& check);

// Throws Fault unless figure <= limit; else "what figure".
std::string within(const std::string& what, double figure, double limit);

}  // namespace relmpi
