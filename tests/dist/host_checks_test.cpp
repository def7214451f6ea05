#include "dist/devices/host_checks.h"

#include <gtest/gtest.h>

namespace relmpi {
namespace {

HostFacts healthy() {
  return {.online_cores = 16,
          .allowed_cores = 16,
          .threads = 4,
          .ranks = 4,
          .node_ranks = 4,
          .on_gpu = true,
          .visible_gpus = 4,
          .gpu_device_files = true,
          .shm_bytes = 1e9,
          .ipv4_interfaces = 1,
          .ipv6_interfaces = 0,
          .free_port = true};
}

// The only finding, or what is wrong with that.
std::string only(const HostFacts& facts) {
  const auto all = findings(facts);
  return all.size() == 1 ? all[0] : "not one finding but " + std::to_string(all.size());
}

bool says(const std::string& text, const char* words) { return text.find(words) != std::string::npos; }

TEST(HostChecks, FindNothingOnAHealthyHost) {
  EXPECT_TRUE(findings(healthy()).empty());
  HostFacts alone = healthy();
  alone.ranks = alone.node_ranks = 1;
  alone.ipv4_interfaces = 0;  // one process needs no network
  alone.shm_bytes = 0;
  EXPECT_TRUE(findings(alone).empty());
}

TEST(HostChecks, NameOneCoreForAllThreads) {
  HostFacts f = healthy();
  f.allowed_cores = f.threads = 1;
  EXPECT_TRUE(says(only(f), "--bind-to none")) << only(f);
  EXPECT_TRUE(says(only(f), "slot:PE=4")) << only(f);
}

TEST(HostChecks, NameMoreThreadsThanCores) {
  HostFacts f = healthy();
  f.on_gpu = f.gpu_device_files = false;
  f.visible_gpus = 0;
  f.threads = 5;
  EXPECT_TRUE(says(only(f), "--threads 4")) << only(f);
}

TEST(HostChecks, NameASmallSharedMemory) {
  HostFacts f = healthy();
  f.shm_bytes = 64.0 * (1 << 20);  // what containers have by default
  EXPECT_TRUE(says(only(f), "--shm-size")) << only(f);
}

TEST(HostChecks, NameNetworksThatLibrariesDoNotTake) {
  HostFacts f = healthy();
  f.ipv4_interfaces = 0;
  f.ipv6_interfaces = 1;
  EXPECT_TRUE(says(only(f), "NCCL_SOCKET_FAMILY=AF_INET6")) << only(f);
  f.ipv6_interfaces = 0;
  EXPECT_TRUE(says(only(f), "NCCL_SOCKET_IFNAME=lo")) << only(f);
  f.on_gpu = false;
  f.gpu_device_files = false;
  f.visible_gpus = 0;
  EXPECT_TRUE(findings(f).empty());  // MPI's shared memory is enough on one host
  f.ranks = 8;
  EXPECT_TRUE(says(only(f), "no network interface but loopback")) << only(f);
  f = healthy();
  f.free_port = false;
  EXPECT_TRUE(says(only(f), "ip_local_port_range")) << only(f);
}

TEST(HostChecks, NameGpusThatAreNotUsed) {
  HostFacts f = healthy();
  f.visible_gpus = 0;
  f.on_gpu = false;
  EXPECT_TRUE(says(only(f), "CUDA sees none")) << only(f);
  f = healthy();
  f.on_gpu = false;
  EXPECT_TRUE(says(only(f), "--device cuda")) << only(f);
}

}  // namespace
}  // namespace relmpi
