#include "dist/ranks/communicator.h"

#include <cstdlib>

#include "base/error.h"

namespace relmpi {

std::int64_t size_of(ReduceType type) {
  switch (type) {
    case ReduceType::kFloat16:
    case ReduceType::kBFloat16:
      return 2;
    case ReduceType::kFloat32:
      return 4;
    case ReduceType::kFloat64:
    case ReduceType::kInt64:
      return 8;
  }
  RELMPI_CHECK(false, "unknown element type");
}

void Communicator::all_reduce(void*, std::int64_t, ReduceType, void*) {}
void Communicator::all_reduce_host(void*, std::int64_t, ReduceType) {}
std::string Communicator::broadcast_bytes(std::string bytes) { return bytes; }
std::vector<std::string> Communicator::gather_bytes(const std::string& bytes) { return {bytes}; }
void Communicator::barrier() {}
void Communicator::abort(int code) { std::_Exit(code); }

}  // namespace relmpi
