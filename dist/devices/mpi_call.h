#pragma once

#include <mpi.h>

#include <string>

namespace relmpi {

// "rank 1: " in a process that MPI runs, else "".
std::string this_rank();

// The one way to look at what an MPI call returned: throws RuntimeError with this rank, the call's name and
// MPI's reason if it failed.
void demand_mpi(int result, const char* call);

// The same for destructors: what failed goes to the log.
void report_mpi(int result, const char* call) noexcept;

}  // namespace relmpi
