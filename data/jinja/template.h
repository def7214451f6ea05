#pragma once

#include <ctime>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace relmpi::jinja {

struct Parsed;

// A Jinja template as transformers renders chat templates: jinja2 3.1's sandbox, whose values cannot be
// changed, with trim_blocks, lstrip_blocks, break and continue, `generation` blocks, transformers' tojson,
// raise_exception and strftime_now. Gives the same text to the byte; what is not built (other blocks,
// filters, tests and methods, recursive loops, HTML escapes, whole numbers beyond 64 bits) is refused.
// A template is foreign code: its steps, its depth and what it makes are bounded (Budget in value.h).
class Template {
 public:
  // `name`: the file's, for errors. Throws InputError "NAME:LINE: .." for what is no template.
  Template(const std::string& source, std::string name);
  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

  // `variables`: an object. `now`: what strftime_now tells, in local time. Throws InputError with file, line
  // and expression for what cannot be evaluated, and with the template's own words where it raises.
  std::string render(const nlohmann::ordered_json& variables, std::time_t now) const;

 private:
  std::unique_ptr<const Parsed> parsed_;
};

}  // namespace relmpi::jinja
