// Chat templates: data/jinja/template.h.

#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "data/jinja/template.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relmpi;
  using Json = nlohmann::ordered_json;
  static const Json variables = {
      {"messages",
       {{{"role", "system"}, {"content", "Be brief."}}, {{"role", "user"}, {"content", "1 < 2? 你好"}}}},
      {"tools", nullptr},
      {"bos_token", "<s>"},
      {"add_generation_prompt", true}};
  const std::string source(fuzz::text_of(data, size));
  if (!decode_utf8(source)) return 0;
  const auto text =
      fuzz::accepted("template", [&] { return jinja::Template(source, "fuzz").render(variables, 0); });
  if (!text) return 0;
  RELMPI_CHECK(decode_utf8(*text).has_value(), "{}", *text);
  RELMPI_CHECK(jinja::Template(source, "fuzz").render(variables, 0) == *text, "another text the second time");
  return 0;
}
