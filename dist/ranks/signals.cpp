#include "dist/ranks/signals.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

namespace relmpi {
namespace {

constexpr auto kSameRequest = std::chrono::seconds(1);

std::atomic<int> received = 0;

sigset_t requests() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGUSR1, SIGTERM, SIGINT}) sigaddset(&set, signal);
  return set;
}

void say(bool announce, const char* line) {
  if (announce) std::fputs(line, stderr);
}

// Ends the process as the signal would have done without us.
void end_by(int signal) {
  std::signal(signal, SIG_DFL);
  const sigset_t set = requests();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  std::raise(signal);
}

void wait_for_requests(bool announce) {
  const sigset_t set = requests();
  std::chrono::steady_clock::time_point first;
  for (int signal = 0; ::sigwait(&set, &signal) == 0;) {
    const auto now = std::chrono::steady_clock::now();
    if (received == 0) {
      first = now;
      received = signal;
      say(announce,
          "\nasked to stop: this step is finished and a checkpoint written; a second signal ends at once\n");
    } else if (now - first >= kSameRequest) {
      say(announce, "\nasked again: ending at once; the newest checkpoint stays\n");
      end_by(signal);
    }
  }
}

}  // namespace

void watch_signals(bool announce) {
  const sigset_t set = requests();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::thread(wait_for_requests, announce).detach();
}

int stop_signal() { return received; }

}  // namespace relmpi
