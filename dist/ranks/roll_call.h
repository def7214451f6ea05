#pragma once

#include <mpi.h>

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace relmpi {

// Who is where when a collective does not end. A rank that waits in a collective looks for questions now and
// then and answers with its place; one that has stopped, hangs or computes does not. On a communicator of its
// own.
class RollCall {
 public:
  RollCall(int rank, int size);
  ~RollCall();
  RollCall(const RollCall&) = delete;
  RollCall& operator=(const RollCall&) = delete;

  void at_step(std::int64_t step) { step_ = step; }
  std::string at() const;  // ", step 12"; "" if there are no steps

  // Where this thread waits from now on, such as "all_reduce of 1024 elements"; "" = nowhere.
  void wait_in(const std::string& collective);
  // Answers what was asked meanwhile. Cheap; to be called while waiting.
  void answer();
  // Asks every other rank, gives them a few seconds, and describes them: who waits where, and who was not
  // heard from, with what the operating system says of its process if it is on this host.
  std::string call();

 private:
  using Answer = std::optional<std::string>;  // nothing if the rank was not heard from

  std::string place();
  std::optional<int> sender(int tag) const;  // of a message that has come, if there is one
  std::vector<Answer> ask_all();             // by rank
  std::string describe_silent(int rank) const;

  int rank_, size_;
  MPI_Comm comm_ = MPI_COMM_NULL;
  std::vector<std::string> hosts_;
  std::vector<int> pids_;
  std::atomic<std::int64_t> step_ = 0;
  std::mutex mutex_, calling_;
  std::map<std::thread::id, std::string> places_;
};

}  // namespace relmpi
