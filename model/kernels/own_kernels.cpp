#include "model/kernels/own_kernels.h"

#include <atomic>
#include <cstdlib>
#include <string_view>

#include "base/error.h"

namespace relmpi {
namespace {

bool general_is_wanted() {
  const char* wanted = std::getenv("RELMPI_KERNELS");
  if (wanted == nullptr || std::string_view(wanted) == "own") return false;
  if (std::string_view(wanted) == "general") return true;
  throw InputError("RELMPI_KERNELS={}: own or general was expected", wanted);
}

// Atomic: the backward pass asks from a thread of its own.
std::atomic<bool>& general() {
  static std::atomic<bool> chosen{general_is_wanted()};
  return chosen;
}

}  // namespace

bool own_kernels(at::Device device) { return device.is_cpu() && !general(); }

GeneralKernels::GeneralKernels() : before_(general().exchange(true)) {}
GeneralKernels::~GeneralKernels() { general() = before_; }

}  // namespace relmpi
