#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <memory>
#include <optional>

namespace relmpi {

// The most bytes of tensors alive at once since the last reset, above what was alive then. On the CPU it
// counts what this thread allocates (its backward passes run here too), on a GPU what the caching allocator
// hands out.
class PeakMemory {
 public:
  explicit PeakMemory(at::Device device);
  ~PeakMemory();
  PeakMemory(const PeakMemory&) = delete;
  PeakMemory& operator=(const PeakMemory&) = delete;

  void reset();
  std::int64_t bytes() const;
  // With what was alive at the reset; nothing on the CPU, where that is not known.
  std::optional<std::int64_t> all_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace relmpi
