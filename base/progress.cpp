#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace relmpi {
namespace {

constexpr int kWidth = 24;

std::string clock_text(double seconds) {
  const long long whole = std::llround(std::max(0.0, seconds));
  return fmt::format("{:02}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace

Progress::Progress(std::string title, std::int64_t total, bool shown)
    : title_(std::move(title)),
      total_(std::max<std::int64_t>(1, total)),
      shown_(shown && ::isatty(STDERR_FILENO)) {}

Progress::~Progress() { clear(); }

void Progress::update(std::int64_t done, const std::string& note) {
  if (!shown_) return;
  const auto now = Clock::now();
  if (first_ < 0) first_ = done;
  if (drawn_ && done < total_ && now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  drawn_ = true;
  const double share = std::clamp(static_cast<double>(done) / static_cast<double>(total_), 0.0, 1.0);
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const auto made = done - first_;
  const std::string left =
      made > 0
          ? clock_text(elapsed / static_cast<double>(made) * static_cast<double>(total_ - done)) + " left"
          : "";
  const int filled = static_cast<int>(share * kWidth);
  const std::string bar = std::string(static_cast<std::size_t>(filled), '=') + (filled < kWidth ? ">" : "") +
                          std::string(static_cast<std::size_t>(std::max(0, kWidth - filled - 1)), ' ');
  fmt::print(stderr, "\r\x1b[K{}  [{}] {:3.0f}%  {}/{}  {}  {}", title_, bar, 100 * share, done, total_, left,
             note);
  std::fflush(stderr);
}

void Progress::clear() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace relmpi
