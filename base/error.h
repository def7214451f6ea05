#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace relmpi {

// What the caller can fix: a wrong option, a missing or damaged file, values that do not fit together. Ends
// a tool with exit code 2. The text names the value, its source (file:line, tensor, option) and what to do.
class InputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  template <typename... Args>
  explicit InputError(fmt::format_string<Args...> format, Args&&... args)
      : std::runtime_error(fmt::format(format, std::forward<Args>(args)...)) {}
};

// What went wrong outside of both the caller's and our hands: a full disk, a lost peer, a device that failed.
// Ends a tool with exit code 1.
class RuntimeError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  template <typename... Args>
  explicit RuntimeError(fmt::format_string<Args...> format, Args&&... args)
      : std::runtime_error(fmt::format(format, std::forward<Args>(args)...)) {}
};

// Exit codes of every tool.
enum class Exit : int { kDone = 0, kFailed = 1, kWrongInput = 2, kStopped = 75 };

// Throws InputError "NAME is VALUE, but must be RULE" unless the rule holds. `name`: the option or the field.
template <typename T>
void demand(bool holds, std::string_view name, const T& value, std::string_view rule) {
  if (!holds) throw InputError("{} is {}, but must be {}", name, value, rule);
}
inline void demand(bool holds, std::string_view name, const std::string& value, std::string_view rule) {
  demand<std::string_view>(holds, name, value.empty() ? "not given" : std::string_view(value), rule);
}

[[noreturn]] void check_failed(const char* condition, const char* file, int line, const std::string& what);

}  // namespace relmpi

// A broken promise of our own code: prints where and ends the process.
#define RELMPI_CHECK(condition, ...)                                                                         \
  do {                                                                                                       \
    if (!(condition)) ::relmpi::check_failed(#condition, __FILE__, __LINE__, ::fmt::format("" __VA_ARGS__)); \
  } while (false)
