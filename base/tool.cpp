#include "base/tool.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/utf8.h"

namespace relmpi {
namespace {

// The options that were given to the command and its subcommands.
std::vector<const CLI::Option*> given_options(const CLI::App& app) {
  std::vector<const CLI::Option*> given;
  for (const CLI::Option* option : app.get_options())
    if (option->count() > 0) given.push_back(option);
  for (const CLI::App* sub : app.get_subcommands()) {
    const auto more = given_options(*sub);
    given.insert(given.end(), more.begin(), more.end());
  }
  return given;
}

template <typename Number>
bool out_of_range(std::string_view text) {
  Number value{};
  return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc::result_out_of_range;
}

// CLI11 cuts a number that is too large to the largest.
void check_numbers(const CLI::App& app) {
  for (const CLI::Option* option : given_options(app))
    for (const std::string& value : option->results()) {
      const std::string type = option->get_type_name();
      if (type.starts_with("UINT") ? value.starts_with('-') || out_of_range<std::uint64_t>(value)
                                   : type.starts_with("INT") && out_of_range<std::int64_t>(value))
        throw InputError("{} {} is out of range", option->get_name(), value);
    }
}

// An empty word, as from "$UNSET", would count as 0 or as the default.
void check_words(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (!decode_utf8(word)) throw InputError("argument {} is not valid UTF-8", i);
    const bool assigned = word.starts_with("--") && word.ends_with('=');
    if (word.empty() || assigned)
      throw InputError("{} is empty; give it a value or leave it out",
                       assigned ? word.substr(0, word.size() - 1) : std::string_view(argv[i - 1]));
  }
}

}  // namespace

int Tool::failed(Exit code, const char* what) const {
  fmt::print(stderr, "{}: error: {}\n", app_.get_name(), what);
  std::fflush(stderr);
  return static_cast<int>(code);
}

int Tool::run(int argc, char** argv) {
  start_log(-1, 1);
  try {
    check_words(argc, argv);
    app_.parse(argc, argv);
    check_numbers(app_);
  } catch (const CLI::ParseError& error) {
    const int code = app_.exit(error);
    return code == 0 ? 0 : static_cast<int>(Exit::kWrongInput);
  } catch (const InputError& error) {
    return failed(Exit::kWrongInput, error.what());
  }
  const auto chosen = std::ranges::find_if(bound_, [](const Bound& one) { return one.app->parsed() > 0; });
  RELMPI_CHECK(chosen != bound_.end(), "no command was chosen");
  Invocation invocation{.command = *chosen->app, .end_peers = {}};  // outlives what the command throws
  int code = 0;
  try {
    code = chosen->run(invocation);
    if (std::fflush(stdout) != 0)
      throw RuntimeError("cannot write to standard output: {}", std::strerror(errno));
    return code;
  } catch (const InputError& error) {
    code = failed(Exit::kWrongInput, error.what());
  } catch (const std::exception& error) {
    code = failed(Exit::kFailed, error.what());
  }
  if (invocation.end_peers) invocation.end_peers(code);
  return code;
}

}  // namespace relmpi
