#include "dist/devices/mpi_call.h"

#include <spdlog/spdlog.h>

#include <array>

#include "base/error.h"

namespace relmpi {
namespace {

// MPI must not be asked anything else before its start and after its end.
bool mpi_runs() {
  int begun = 0, ended = 0;
  return MPI_Initialized(&begun) == MPI_SUCCESS && MPI_Finalized(&ended) == MPI_SUCCESS && begun && !ended;
}

std::string failure(int result, const char* call) {
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  if (!mpi_runs() || MPI_Error_string(result, text.data(), &length) != MPI_SUCCESS)
    return fmt::format("{}{} failed with error {}", this_rank(), call, result);
  return fmt::format("{}{} failed: {}", this_rank(), call,
                     std::string_view(text.data(), static_cast<std::size_t>(length)));
}

}  // namespace

std::string this_rank() {
  int rank = 0;
  if (!mpi_runs() || MPI_Comm_rank(MPI_COMM_WORLD, &rank) != MPI_SUCCESS) return "";
  return fmt::format("rank {}: ", rank);
}

void demand_mpi(int result, const char* call) {
  if (result != MPI_SUCCESS) throw RuntimeError("{}", failure(result, call));
}

void report_mpi(int result, const char* call) noexcept {
  if (result != MPI_SUCCESS) spdlog::error("{}", failure(result, call));
}

}  // namespace relmpi
