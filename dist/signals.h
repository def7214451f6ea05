#pragma once

namespace relmpi {

// From now on SIGUSR1, SIGTERM and SIGINT set a flag; a second SIGINT or SIGTERM ends the process at once.
void watch_signals();

// The signal that asked this process to stop, or 0.
int stop_signal();

}  // namespace relmpi
