#include "base/error.h"

#include <cstdio>
#include <cstdlib>

namespace relmpi {

void check_failed(const char* condition, const char* file, int line, const std::string& what) {
  fmt::print(stderr, "relmpi: internal error at {}:{}: {} does not hold. {}\n", file, line, condition, what);
  std::fflush(stderr);
  std::abort();
}

}  // namespace relmpi
