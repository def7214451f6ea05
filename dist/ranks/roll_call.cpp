#include "dist/ranks/roll_call.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "dist/devices/gpus.h"
#include "dist/devices/mpi_call.h"

namespace relmpi {
namespace {

constexpr int kQuestion = 1, kAnswer = 2;  // message tags
constexpr auto kAnswerTime = std::chrono::seconds(4);

using Text = std::array<char, 256>;

Text text_of(const std::string& value) {
  Text text{};
  std::strncpy(text.data(), value.c_str(), text.size() - 1);
  return text;
}

// Field 3 of /proc/PID/stat (man 5 proc); 0 if there is no such process.
char process_state(int pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) return 0;
  const std::size_t end = line.rfind(')');
  return end == std::string::npos || end + 2 >= line.size() ? '?' : line[end + 2];
}

}  // namespace

RollCall::RollCall(int rank, int size) : rank_(rank), size_(size) {
  demand_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &comm_), "MPI_Comm_dup");
  const Text mine = text_of(host_name());
  std::vector<Text> all(static_cast<std::size_t>(size));
  const int length = static_cast<int>(mine.size());
  demand_mpi(MPI_Allgather(mine.data(), length, MPI_CHAR, all.data(), length, MPI_CHAR, comm_),
             "MPI_Allgather");
  for (const Text& one : all) hosts_.emplace_back(one.data());
  pids_.resize(static_cast<std::size_t>(size));
  const int pid = ::getpid();
  demand_mpi(MPI_Allgather(&pid, 1, MPI_INT, pids_.data(), 1, MPI_INT, comm_), "MPI_Allgather");
}

RollCall::~RollCall() { report_mpi(MPI_Comm_free(&comm_), "MPI_Comm_free"); }

std::string RollCall::at() const { return step_ > 0 ? fmt::format(", step {}", step_.load()) : ""; }

void RollCall::wait_in(const std::string& collective) {
  const std::lock_guard lock(mutex_);
  if (collective.empty())
    places_.erase(std::this_thread::get_id());
  else
    places_[std::this_thread::get_id()] = collective;
}

std::string RollCall::place() {
  std::vector<std::string> all;
  for (const auto& [thread, collective] : places_) all.push_back(collective);
  return fmt::format("in {}{}", fmt::join(all, " and "), at());
}

std::optional<int> RollCall::sender(int tag) const {
  int found = 0;
  MPI_Status status;
  demand_mpi(MPI_Iprobe(MPI_ANY_SOURCE, tag, comm_, &found, &status), "MPI_Iprobe");
  return found ? std::optional(status.MPI_SOURCE) : std::nullopt;
}

void RollCall::answer() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;  // another thread answers
  while (const auto asker = sender(kQuestion)) {
    demand_mpi(MPI_Recv(nullptr, 0, MPI_CHAR, *asker, kQuestion, comm_, MPI_STATUS_IGNORE), "MPI_Recv");
    const Text text = text_of(place());
    demand_mpi(MPI_Send(text.data(), static_cast<int>(text.size()), MPI_CHAR, *asker, kAnswer, comm_),
               "MPI_Send");
  }
}

std::string RollCall::describe_silent(int rank) const {
  const auto index = static_cast<std::size_t>(rank);
  std::string text =
      fmt::format("rank {} (host {}, process {}) was not heard from", rank, hosts_[index], pids_[index]);
  if (hosts_[index] != hosts_[static_cast<std::size_t>(rank_)]) return text;
  switch (process_state(pids_[index])) {
    case 0:
      return text + ": the process is gone";
    case 'Z':
      return text + ": the process has ended";
    case 'T':
    case 't':
      return text + ": the process is stopped (SIGSTOP or a debugger; kill -CONT continues it)";
    case 'D':
      return text + ": the process waits for a disk or a device (state D): look at its file system";
    default:
      return text + ": it computes, reads data or hangs outside of collectives (gdb -p shows where)";
  }
}

std::vector<RollCall::Answer> RollCall::ask_all() {
  std::vector<Answer> answers(static_cast<std::size_t>(size_));
  for (int rank = 0; rank < size_; ++rank) {
    if (rank == rank_) continue;
    MPI_Request question = MPI_REQUEST_NULL;
    demand_mpi(MPI_Isend(nullptr, 0, MPI_CHAR, rank, kQuestion, comm_, &question), "MPI_Isend");
    demand_mpi(MPI_Request_free(&question), "MPI_Request_free");  // nobody waits for it
  }
  const auto end = std::chrono::steady_clock::now() + kAnswerTime;
  for (int missing = size_ - 1; missing > 0 && std::chrono::steady_clock::now() < end;) {
    answer();  // others may ask at the same time
    const auto from = sender(kAnswer);
    if (!from) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      continue;
    }
    Text text{};
    demand_mpi(MPI_Recv(text.data(), static_cast<int>(text.size()), MPI_CHAR, *from, kAnswer, comm_,
                        MPI_STATUS_IGNORE),
               "MPI_Recv");
    answers[static_cast<std::size_t>(*from)] = text.data();
    --missing;
  }
  return answers;
}

std::string RollCall::call() {
  const std::lock_guard one_thread(calling_);
  std::vector<Answer> answers;
  try {
    answers = ask_all();
  } catch (const RuntimeError& error) {
    return fmt::format("The other ranks could not be asked: {}", error.what());
  }
  std::vector<std::string> lines;
  for (int rank = 0; rank < size_; ++rank)
    if (rank != rank_) {
      const auto& answer = answers[static_cast<std::size_t>(rank)];
      lines.push_back(answer ? fmt::format("rank {} waits {}", rank, *answer) : describe_silent(rank));
    }
  return fmt::format("{}", fmt::join(lines, "; "));
}

}  // namespace relmpi
