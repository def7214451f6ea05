#include "dist/devices/host_checks.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "dist/devices/gpus.h"

namespace relmpi {
namespace {

// Shared memory that ranks of one host use: Open MPI maps 4 MiB a rank, NCCL some 10 MB for each pair of GPUs
// without peer access. Containers often give 64 MiB in all.
constexpr double kShmPerRank = 32.0 * (1 << 20);

void count_interfaces(HostFacts& facts) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return;
  std::set<std::string> four, six;
  for (const ifaddrs* one = list; one; one = one->ifa_next) {
    if (!one->ifa_addr || !(one->ifa_flags & IFF_UP) || (one->ifa_flags & IFF_LOOPBACK)) continue;
    if (one->ifa_addr->sa_family == AF_INET) four.insert(one->ifa_name);
    if (one->ifa_addr->sa_family == AF_INET6 &&
        !IN6_IS_ADDR_LINKLOCAL(&reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr))
      six.insert(one->ifa_name);
  }
  ::freeifaddrs(list);
  facts.ipv4_interfaces = static_cast<int>(four.size());
  facts.ipv6_interfaces = static_cast<int>(six.size());
}

bool can_bind(int family) {
  const int descriptor = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return false;
  sockaddr_storage address{};
  address.ss_family = static_cast<sa_family_t>(family);  // any address, port 0: the system chooses one
  const socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  const bool bound = ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                     ::listen(descriptor, 1) == 0;
  ::close(descriptor);
  return bound;
}

void check_cores(const HostFacts& f, std::vector<std::string>& out) {
  if (f.ranks > 1 && f.allowed_cores < f.online_cores / f.node_ranks)
    out.push_back(
        fmt::format("this rank may use {} of {} cores ({} threads): mpirun binds up to 2 ranks to one core "
                    "each, and more to a socket. "
                    "Start with `mpirun --bind-to none`, or `--map-by slot:PE={}` for {} cores a rank",
                    f.allowed_cores, f.online_cores, f.threads, f.online_cores / f.node_ranks,
                    f.online_cores / f.node_ranks));
  if (!f.on_gpu && f.threads * f.node_ranks > f.online_cores)
    out.push_back(
        fmt::format("{} ranks with {} threads each share {} cores: they take turns. Start fewer ranks, or "
                    "give --threads {}",
                    f.node_ranks, f.threads, f.online_cores, std::max(1, f.online_cores / f.node_ranks)));
}

void check_network(const HostFacts& f, std::vector<std::string>& out) {
  if (f.ranks > f.node_ranks && f.ipv4_interfaces == 0 && f.ipv6_interfaces == 0)
    out.emplace_back(
        "this host has no network interface but loopback: ranks of other hosts cannot be reached");
  if (f.ranks > 1 && f.ipv4_interfaces == 0 && f.ipv6_interfaces > 0)
    out.emplace_back(
        "this host has only IPv6 addresses. NCCL takes them with NCCL_SOCKET_FAMILY=AF_INET6; Open MPI "
        "needs "
        "OMPI_MCA_oob_tcp_disable_ipv6_family=0 OMPI_MCA_btl_tcp_disable_family=4 and a build with IPv6");
  if (f.ranks > 1 && f.on_gpu && f.ipv4_interfaces == 0 && f.ipv6_interfaces == 0)
    out.emplace_back(
        "NCCL does not use the loopback interface by itself: set NCCL_SOCKET_IFNAME=lo for ranks of one "
        "host");
  if (!f.free_port)
    out.emplace_back(
        "no TCP port can be opened: ranks cannot find each other. Look at "
        "/proc/sys/net/ipv4/ip_local_port_range, at "
        "connections in TIME_WAIT (ss -s) and at the container's rules");
}

}  // namespace

int allowed_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  return ::sched_getaffinity(0, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
}

HostFacts host_facts(HostFacts facts) {
  facts.online_cores = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  facts.allowed_cores = allowed_cores();
  facts.visible_gpus = gpu_count();
  facts.gpu_device_files = gpu_device_files();
  struct statvfs shm {};
  if (::statvfs("/dev/shm", &shm) == 0)
    facts.shm_bytes = static_cast<double>(shm.f_blocks) * static_cast<double>(shm.f_frsize);
  count_interfaces(facts);
  facts.free_port = can_bind(AF_INET) || can_bind(AF_INET6);
  return facts;
}

std::vector<std::string> findings(const HostFacts& f) {
  std::vector<std::string> out;
  check_cores(f, out);
  if (f.node_ranks > 1 && f.shm_bytes < f.node_ranks * kShmPerRank)
    out.push_back(
        fmt::format("/dev/shm has {:.0f} MiB for {} ranks of this host, {:.0f} are wanted: NCCL and MPI may "
                    "fail with a bus error. "
                    "Start the container with --shm-size=1g or --ipc=host",
                    f.shm_bytes / (1 << 20), f.node_ranks, f.node_ranks * kShmPerRank / (1 << 20)));
  check_network(f, out);
  if (f.gpu_device_files && f.visible_gpus == 0)
    out.emplace_back(
        "there is a GPU (in /dev), but CUDA sees none: look at nvidia-smi, at the driver's version "
        "(relmpi-doctor "
        "environment shows what this build wants) and at CUDA_VISIBLE_DEVICES");
  if (!f.on_gpu && f.visible_gpus > 0)
    out.push_back(
        fmt::format("{} GPUs are visible, but the CPU computes: leave --device out, or give --device cuda",
                    f.visible_gpus));
  return out;
}

std::string launch_finding() {
  if (::geteuid() != 0 ||
      (std::getenv("OMPI_ALLOW_RUN_AS_ROOT") && std::getenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM")))
    return "";
  return "you are root, and Open MPI's mpirun refuses root: run as a user, or (in a container) set "
         "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1";
}

}  // namespace relmpi
