#pragma once

#include <string>
#include <vector>

namespace relmpi {

// What this process can see of its host.
struct HostFacts {
  int online_cores = 1;
  int allowed_cores = 1;  // by the affinity mask
  int threads = 1;        // that this rank computes with
  int ranks = 1;          // of the job
  int node_ranks = 1;     // on this host
  bool on_gpu = false;
  int visible_gpus = 0;
  bool gpu_device_files = false;  // of devices/gpus.h
  double shm_bytes = 0;           // size of /dev/shm; 0 if there is none
  int ipv4_interfaces = 0;        // up, without loopback
  int ipv6_interfaces = 0;        // up, without loopback and link-local addresses
  bool free_port = true;          // a TCP port can be bound
};

// Cores that this process may use, by its affinity mask.
int allowed_cores();

// What the host tells, put into `job`, whose threads, ranks, node_ranks and on_gpu are the caller's. Puts no
// context on a GPU.
HostFacts host_facts(HostFacts job);

// What will hurt, each with its remedy; empty if all is well.
std::vector<std::string> findings(const HostFacts& facts);

// Why mpirun would not start; "" if it would. Matters before a launch.
std::string launch_finding();

}  // namespace relmpi
