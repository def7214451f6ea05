#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dist/ranks/communicator.h"

namespace relmpi {

// Who does what, and the results back in order.

// Blocks 0 .. n - 1 dealt to the ranks, every size-th to each:
//   for (Share share(communicator, n); const auto block = share.next();) ...
class Share {
 public:
  Share(const Communicator& communicator, std::int64_t blocks)
      : next_(communicator.rank()), size_(communicator.size()), blocks_(blocks) {}

  // This rank's next block; nothing when it has had its last one.
  std::optional<std::int64_t> next() {
    if (next_ >= blocks_) return std::nullopt;
    const std::int64_t block = next_;
    next_ += size_;
    return block;
  }

 private:
  std::int64_t next_, size_, blocks_;
};

// Bytes with the number that says where they belong among those of all ranks.
struct NumberedLine {
  std::int64_t number = 0;
  std::string line;
};

// The lines of all ranks on rank 0, ordered by number (of equal ones, the lower rank's first); empty
// elsewhere. Every rank must call it.
std::vector<NumberedLine> gather_lines(Communicator& communicator, std::span<const NumberedLine> mine);

// Adds up counts over all ranks, in place. Every rank must call it.
void add_up(Communicator& communicator, std::span<std::int64_t> counts);

}  // namespace relmpi
