#include "base/tool.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"

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

int run_tool(CLI::App& app, int argc, char** argv, const std::function<int()>& body,
             const std::function<void(const std::string&, int)>& on_failure) {
  try {
    check_words(argc, argv);
    app.parse(argc, argv);
    check_numbers(app);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : static_cast<int>(Exit::kWrongInput);
  } catch (const InputError& error) {
    return failed(app, Exit::kWrongInput, error.what(), on_failure);
  }
  try {
    const int code = body();
    if (std::fflush(stdout) != 0)
      throw RuntimeError("cannot write to standard output: {}", std::strerror(errno));
    return code;
  } catch (const InputError& error) {
    return failed(app, Exit::kWrongInput, error.what(), on_failure);
  } catch (const std::exception& error) {
    return failed(app, Exit::kFailed, error.what(), on_failure);
  }
}

}  // namespace relmpi
