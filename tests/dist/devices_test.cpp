// GPUs, versions and the checks of library calls, in a process without MPI.

#include <gtest/gtest.h>

#include <fstream>

#include "base/torch_headers.h"
#include "dist/devices/gpus.h"
#include "dist/devices/host_checks.h"
#include "dist/devices/mpi_call.h"
#include "dist/devices/versions.h"
#include "tests/data/test_data.h"
#if RELMPI_CUDA
#include "dist/devices/cuda_call.h"
#endif

namespace relmpi {
namespace {

template <typename Body>
std::string failure_of(const Body& body) {
  try {
    body();
  } catch (const RuntimeError& error) {
    return error.what();
  }
  return "no failure";
}

TEST(Gpus, AreThoseThatAreVisible) {
  const auto all = gpus();
  ASSERT_EQ(static_cast<int>(all.size()), gpu_count());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].id, static_cast<int>(i));
    EXPECT_LE(all[i].memory_free, all[i].memory_total);
  }
  EXPECT_TRUE(gpus(-1).empty());
  EXPECT_TRUE(gpus(gpu_count()).empty());
}

TEST(Gpus, HaveFilesWithANumber) {
  const TemporaryFolder dev;
  EXPECT_FALSE(gpu_device_files(dev / ""));
  EXPECT_FALSE(gpu_device_files(dev / "missing"));
  for (const char* driver : {"nvidia", "nvidiactl", "nvidia-uvm", "nvidia-caps"})
    std::ofstream(dev / driver).flush();
  EXPECT_FALSE(gpu_device_files(dev / ""));
  std::ofstream(dev / "nvidia3").flush();  // of a container that was given one of four
  EXPECT_TRUE(gpu_device_files(dev / ""));
}

// The names are those that programs read from `relmpi-doctor devices --json`.
TEST(Gpus, HaveTheFieldsOfTheDocument) {
  const Gpu gpu{.id = 1,
                .name = "A",
                .uuid = "GPU-x",
                .memory_total = 24,
                .memory_free = 20,
                .memory_used_by_us = 3,
                .integrated = true};
  const nlohmann::json document = gpu;
  EXPECT_EQ(document, nlohmann::json::parse(R"({"id": 1, "name": "A", "uuid": "GPU-x", "memory_total": 24,
      "memory_free": 20, "memory_used_by_us": 3, "integrated": true})"));
  EXPECT_EQ(document.get<Gpu>(), gpu);
  EXPECT_EQ(nlohmann::json(std::vector<Gpu>()).dump(), "[]");
}

TEST(HostFacts, KeepTheNumbersOfTheJob) {
  const HostFacts facts = host_facts({.threads = 3, .ranks = 5, .node_ranks = 2, .on_gpu = true});
  EXPECT_TRUE(facts.threads == 3 && facts.ranks == 5 && facts.node_ranks == 2 && facts.on_gpu);
  EXPECT_EQ(facts.visible_gpus, gpu_count());
  EXPECT_GE(facts.online_cores, 1);
  EXPECT_EQ(facts.allowed_cores, allowed_cores());
}

TEST(Versions, AreKnownByName) {
  const Versions found = versions();
  EXPECT_TRUE(found.at("libtorch")->starts_with("2."));
  EXPECT_NE(found.at("mpi")->find("MPI"), std::string::npos);
  EXPECT_EQ(to_json({{"cuda_driver", std::nullopt}, {"mpi", "4"}}).dump(),
            R"({"cuda_driver":null,"mpi":"4"})");
}

TEST(LibraryCalls, ThatFailedAreNamed) {
  demand_mpi(MPI_SUCCESS, "MPI_Send");
  const auto mpi = failure_of([] { demand_mpi(MPI_ERR_COUNT, "MPI_Send"); });
  EXPECT_TRUE(mpi.starts_with("MPI_Send failed")) << mpi;
#if RELMPI_CUDA
  demand_nccl(ncclSuccess, "ncclAllReduce");
  demand_nccl(ncclInProgress, "ncclAllReduce");
  const auto nccl = failure_of([] { demand_nccl(ncclInvalidArgument, "ncclAllReduce"); });
  EXPECT_TRUE(nccl.starts_with("ncclAllReduce failed: invalid argument")) << nccl;
  demand_cuda(cudaSuccess, "cudaMemGetInfo");
  const auto cuda = failure_of([] { demand_cuda(cudaErrorInvalidDevice, "cudaMemGetInfo"); });
  EXPECT_TRUE(cuda.starts_with("cudaMemGetInfo failed: invalid device")) << cuda;
#endif
}

}  // namespace
}  // namespace relmpi
