#include "base/tool.h"

#include <cstdio>
#include <exception>

#include "base/error.h"

namespace relmpi {
namespace {

int failed(const CLI::App& app, Exit code, const char* what,
           const std::function<void(const std::string&, int)>& on_failure) {
  const std::string line = fmt::format("{}: error: {}", app.get_name(), what);
  fmt::print(stderr, "{}\n", line);
  std::fflush(stderr);
  if (on_failure) on_failure(line, static_cast<int>(code));
  return static_cast<int>(code);
}

}  // namespace

int run_tool(CLI::App& app, int argc, char** argv, const std::function<int()>& body,
             const std::function<void(const std::string&, int)>& on_failure) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : static_cast<int>(Exit::kWrongInput);
  }
  try {
    return body();
  } catch (const InputError& error) {
    return failed(app, Exit::kWrongInput, error.what(), on_failure);
  } catch (const std::exception& error) {
    return failed(app, Exit::kFailed, error.what(), on_failure);
  }
}

}  // namespace relmpi
