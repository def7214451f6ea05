#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace relmpi {

// A progress bar on stderr, drawn at most ten times a second:
//   training  [=========>          ]  47%  1412/3000  00:01:52 left  loss 0.412
// If stderr is a job's log and not a terminal, a line every half minute instead.
class Progress {
 public:
  // `shown` false draws nothing (ranks other than 0).
  Progress(std::string title, std::int64_t total, bool shown = true);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::int64_t done, const std::string& note = "");
  // Wipes the bar, so that a log line can be printed whole.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  std::string title_;
  std::int64_t total_;
  std::int64_t first_ = -1;  // the first value seen: a resumed run does not start at 0
  bool shown_, terminal_;
  bool drawn_ = false;
  Clock::time_point start_ = Clock::now(), last_ = start_;
};

}  // namespace relmpi
