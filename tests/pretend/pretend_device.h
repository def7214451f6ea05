#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <map>
#include <string>

namespace relmpi {

// A device of libtorch that behaves as a GPU does towards a program, and computes on the CPU: its tensors are
// no CPU tensors, operators that mix the two throw, and what makes a program wait for a GPU is counted or
// throws. It draws the numbers of the CPU's generator.
at::Device pretend_device();

// What programs would have cost a GPU since the last reset.
struct PretendCosts {
  std::map<std::string, std::int64_t> kernels;  // operators that would start kernels, by name
  std::int64_t uploads = 0;                     // copies from the host
  std::int64_t waits = 0;                       // copies to the host, item(), nonzero()

  std::int64_t all_kernels() const;
  std::string table() const;  // a line an operator, the most frequent first
};
PretendCosts pretend_costs();
void reset_pretend_costs();

// While it lives, what would wait for the device throws.
class NoWaits {
 public:
  NoWaits();
  ~NoWaits();
  NoWaits(const NoWaits&) = delete;
  NoWaits& operator=(const NoWaits&) = delete;
};

}  // namespace relmpi
