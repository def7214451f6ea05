#include "dist/ranks/share.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace relmpi {
namespace {

using Head = std::array<std::int64_t, 2>;  // number, bytes of the line

}  // namespace

std::vector<NumberedLine> gather_lines(Communicator& communicator, std::span<const NumberedLine> mine) {
  std::string packed;
  for (const NumberedLine& one : mine) {
    const Head head{one.number, static_cast<std::int64_t>(one.line.size())};
    packed.append(reinterpret_cast<const char*>(head.data()), sizeof(head));
    packed += one.line;
  }
  std::vector<NumberedLine> all;
  for (const std::string& part : communicator.gather_bytes(packed)) {
    for (std::size_t at = 0; at < part.size();) {
      Head head;
      std::memcpy(head.data(), part.data() + at, sizeof(head));
      at += sizeof(head);
      all.push_back({.number = head[0], .line = part.substr(at, static_cast<std::size_t>(head[1]))});
      at += static_cast<std::size_t>(head[1]);
    }
  }
  std::ranges::stable_sort(all, {}, &NumberedLine::number);
  return all;
}

void add_up(Communicator& communicator, std::span<std::int64_t> counts) {
  communicator.all_reduce_host(counts.data(), static_cast<std::int64_t>(counts.size()), ReduceType::kInt64);
}

}  // namespace relmpi
