#pragma once

namespace relmpi {

// From now on the first SIGUSR1, SIGTERM or SIGINT sets a flag, and another one ends the process at once (but
// for one that follows within a second: schedulers and launchers pass the same request on twice). `announce`:
// say so on stderr. To be called before any other thread is started: a thread of its own waits for the
// signals, and every other one has them blocked. No handler ever runs in the middle of somebody's arithmetic:
// libraries' generated kernels do not all bear it.
void watch_signals(bool announce);

// The signal that asked this process to stop, or 0.
int stop_signal();

}  // namespace relmpi
