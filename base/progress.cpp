#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace relmpi {
namespace {

constexpr int kWidth = 24;
constexpr std::chrono::milliseconds kRedraw{100}, kLine{30000};

std::string clock_text(double seconds) {
  const long long whole = std::llround(std::max(0.0, seconds));
  return fmt::format("{:02}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace

Progress::Progress(std::string title, std::int64_t total, bool shown)
    : title_(std::move(title)),
      total_(std::max<std::int64_t>(1, total)),
      shown_(shown),
      terminal_(::isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() { clear(); }

void Progress::update(std::int64_t done, const std::string& note) {
  if (!shown_) return;
  const auto now = Clock::now();
  if (first_ < 0) first_ = done;
  const auto pause = terminal_ ? kRedraw : kLine;
  const bool at_once = terminal_ && (!drawn_ || done >= total_);
  if (!at_once && now - last_ < pause) return;
  last_ = now;
  const double share = std::clamp(static_cast<double>(done) / static_cast<double>(total_), 0.0, 1.0);
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const auto made = done - first_;
  const std::string left =
      made > 0
          ? clock_text(elapsed / static_cast<double>(made) * static_cast<double>(total_ - done)) + " left"
          : "";
  const std::string state = fmt::format("{:3.0f}%  {}/{}  {}  {}", 100 * share, done, total_, left, note);
  if (terminal_) {
    drawn_ = true;
    const int filled = static_cast<int>(share * kWidth);
    const std::string bar = std::string(static_cast<std::size_t>(filled), '=') +
                            (filled < kWidth ? ">" : "") +
                            std::string(static_cast<std::size_t>(std::max(0, kWidth - filled - 1)), ' ');
    fmt::print(stderr, "\r\x1b[K{}  [{}] {}", title_, bar, state);
  } else {
    fmt::print(stderr, "{}  {}\n", title_, state);
  }
  std::fflush(stderr);
}

void Progress::clear() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace relmpi
