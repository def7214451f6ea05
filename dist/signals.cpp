#include "dist/signals.h"

#include <unistd.h>

#include <csignal>
#include <cstring>
#include <ctime>
#include <initializer_list>

namespace relmpi {
namespace {

constexpr std::time_t kSameRequest = 1;  // seconds

volatile std::sig_atomic_t received = 0;
volatile std::sig_atomic_t announcing = 0;
std::timespec received_at{};

// Only what may be called in a signal handler.
void say(const char* line) {
  if (announcing && ::write(STDERR_FILENO, line, std::strlen(line)) < 0) return;
}

bool same_request() {
  std::timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::time_t seconds = now.tv_sec - received_at.tv_sec;
  return seconds < kSameRequest || (seconds == kSameRequest && now.tv_nsec < received_at.tv_nsec);
}

void on_signal(int signal) {
  if (received == 0) {
    ::clock_gettime(CLOCK_MONOTONIC, &received_at);
    received = signal;
    say("\nasked to stop: this step is finished and a checkpoint written; once more ends at once\n");
  } else if (!same_request()) {
    say("\nasked again: ending at once; the newest checkpoint stays\n");
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

}  // namespace

void watch_signals(bool announce) {
  announcing = announce;
  struct sigaction action = {};
  action.sa_handler = &on_signal;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGUSR1, SIGTERM, SIGINT}) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal);
    ::sigprocmask(SIG_UNBLOCK, &one, nullptr);  // some launchers start their children with signals blocked
    ::sigaction(signal, &action, nullptr);
  }
}

int stop_signal() { return received; }

}  // namespace relmpi
