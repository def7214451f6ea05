#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "dist/ranks/communicator.h"

namespace relmpi {

// Versions of the libraries in this process, by name: libtorch, mpi, nccl, ...
nlohmann::json versions();

// Versions, ranks, hosts, devices and threads of each rank, and what will hurt ("findings"): the document on
// rank 0, null elsewhere.
nlohmann::json describe_environment(Communicator& communicator, at::Device device);

// Median seconds of one all-reduce of `bytes` of fp32, nothing else going on. Throws RuntimeError where a sum
// is wrong. Every rank must call it.
double time_all_reduce(Communicator& communicator, at::Device device, std::int64_t bytes);

// All-reduce of 1 KiB up to `bytes`, each size checked against the known sum: latency and bus bandwidth
// (2 (R-1)/R * bytes / time, as NCCL's own tests count). The document on rank 0, null elsewhere.
nlohmann::json measure_allreduce(Communicator& communicator, at::Device device, std::int64_t bytes);

// The tables that relmpi-doctor prints for a person.
std::string environment_text(const nlohmann::json& document);
std::string devices_text(const nlohmann::json& document);
std::string allreduce_text(const nlohmann::json& document);

// "64MiB", "1GB", "4096" in bytes, read by parse_memory; more than 0. Throws InputError.
std::int64_t parse_bytes(const std::string& text);

}  // namespace relmpi
